import {
  type ActorNode,
  type ChildSpec,
  type LifecycleEvent,
  light,
  type Question,
} from '../../../src/index.ts';
import { createRuntime, type Runtime } from '../../../src/runtime/create-system.ts';
import { type VirtualHost, virtualHost } from '../../../src/testing/virtual-host.ts';

export interface Bench {
  readonly host: VirtualHost;
  readonly runtime: Runtime;
  readonly system: Runtime['system'];
  readonly events: LifecycleEvent[];
  readonly rootFailures: unknown[];
  /** Starts a root and gives what came of it. */
  start(spec: ChildSpec): Promise<void>;
  /** Lets virtual time stand still until the promise is settled by what is due now. */
  settle<T>(promise: Promise<T>): Promise<T>;
}

/** An actor system on virtual time. */
export function bench(seed = 1): Bench {
  const host = virtualHost(seed);
  const rootFailures: unknown[] = [];
  const events: LifecycleEvent[] = [];
  const runtime = createRuntime({
    node: 'main',
    host,
    onRootFailure: (_path, error) => rootFailures.push(error),
  });
  runtime.system.onLifecycle((event) => events.push(event));
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => {});
    await host.runUntilIdle();
    return promise;
  };
  return {
    host,
    settle,
    runtime,
    system: runtime.system,
    events,
    rootFailures,
    start: async (spec) => void (await settle(runtime.system.start(spec))),
  };
}

type ProbeMessage = { type: 'BOOM' | 'ADD' } | Question<{ type: 'GET' }, number>;

/** A light actor that counts, answers and can be made to throw; `log` gets `+id` and `-id` as it comes and goes. */
export function probe(id: string, log: string[] = [], options: Partial<ChildSpec> = {}): ChildSpec {
  const made = light(id, {
    init: () => {
      log.push(`+${id}`);
      return 0;
    },
    receive: (count, message: ProbeMessage) => {
      if (message.type === 'BOOM') throw new Error(`${id} broke`);
      if (message.type === 'GET') message.reply?.(count);
      return message.type === 'ADD' ? count + 1 : count;
    },
    stop: () => void log.push(`-${id}`),
  });
  return { ...made, ...options };
}

export function find(tree: ActorNode, path: string): ActorNode {
  const queue = [tree];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    if (node.path === path) return node;
    queue.push(...node.children);
  }
  throw new Error(`no ${path} in the tree`);
}
