import { fromCallback, setup } from 'xstate';
import { type ChildSpec, component, light, MagError, machine, sleep, supervisor } from '../../src/index.ts';
import { type Bench, bench } from '../support/runtime/probe.ts';
import type { Plan } from './plan.ts';
import type { Asked, Step } from './steps.ts';
import type { Life, Outcome } from './supervision.ts';

const LIVES: Readonly<Record<string, Life>> = { running: 'up', restarting: 'restarting' };
const CODES: Readonly<Record<string, Outcome>> = {
  MAG_ACTOR_DUPLICATE: 'duplicate',
  MAG_ACTOR_NOT_FOUND: 'not_found',
  MAG_CHILD_RUNNING: 'running',
  MAG_CHILD_RESTARTING: 'restarting',
};

/** Thirty actors that dawdle, and whose stop hangs, one after the other. */
const PATIENCE_MS = 10_000;

/** The same tree on the runtime, on virtual time. What an actor is made of is told by the first letter of its id. */
export class RealTree {
  readonly log: string[] = [];
  readonly escalated: string[] = [];
  readonly #bench: Bench;
  readonly #failing = new Map<string, number>();
  readonly #plan: Plan;
  readonly #dawdling: boolean;

  /** @param dawdling its components take their time to start and to stop, or never end their stop */
  constructor(plan: Plan, seed: number, dawdling = false) {
    this.#plan = plan;
    this.#dawdling = dawdling;
    this.#bench = bench(seed);
    this.#bench.system.onLifecycle((event) => {
      if (event.type === 'escalated') this.escalated.push(event.path);
      if (event.type === 'stopped' && event.reason === 'killed' && kindOf(event.path) === 'l')
        this.log.push(`~${event.path}`);
    });
  }

  async start(): Promise<Outcome> {
    const started = this.#outcome(this.#bench.system.start(this.#spec(this.#plan, '')));
    if (this.#dawdling) await this.wait(PATIENCE_MS);
    return started;
  }

  async stop(): Promise<void> {
    const stopped = this.#bench.settle(this.#bench.system.stop('test'));
    if (this.#dawdling) await this.wait(PATIENCE_MS);
    await stopped;
  }

  /** Lets it happen, and all that follows from it at this moment. */
  async apply(step: Step): Promise<Outcome> {
    const { host, system } = this.#bench;
    if (step.do === 'wait') await host.advance(step.ms);
    else if (step.do === 'break') this.#failing.set(step.at, step.times);
    else if (step.do === 'start')
      return this.#outcome(system.startChild(step.at, this.#spec(step.plan, step.at)));
    else if (step.do === 'replace') return this.#outcome(this.#replace(step.at, step.plan));
    else if (step.do === 'crash' || step.do === 'finish' || step.do === 'stop')
      await this.#end(step.do, step.at);
    else return this.#outcome(this.#ask(step.do, step.at));
    return 'ok';
  }

  /** Until whatever waits for a time has had it. */
  async wait(ms: number): Promise<void> {
    await this.#bench.host.advance(ms);
  }

  get fate(): 'up' | 'ended' | 'failed' {
    if (this.#bench.rootFailures.length > 0) return 'failed';
    return this.#bench.system.lookup(this.#plan.id) === undefined ? 'ended' : 'up';
  }

  /** Who gave up, from the root down, as its failure tells it. */
  chain(): readonly string[] {
    const given: string[] = [];
    for (let error = this.#bench.rootFailures[0]; error instanceof Error; error = error.cause)
      if (error instanceof MagError && error.code === 'MAG_RESTART_INTENSITY')
        given.push(/supervisor (\S+) gave up/.exec(error.message)?.[1] ?? error.message);
    return given;
  }

  async listing(): Promise<
    readonly { readonly path: string; readonly life: Life; readonly restarts: number }[]
  > {
    if (this.fate !== 'up') return [];
    const walk = (node: Awaited<ReturnType<typeof system.tree>>): (typeof node)[] =>
      node.children.flatMap((below) => [below, ...walk(below)]);
    const { system } = this.#bench;
    const tree = await this.#bench.settle(system.tree());
    return walk(tree).map((node) => ({
      path: node.path,
      life: LIVES[node.status] ?? 'down',
      restarts: node.restarts,
    }));
  }

  async #end(how: 'crash' | 'finish' | 'stop', path: string): Promise<void> {
    const { host, system } = this.#bench;
    const ref = system.lookup(path);
    if (how === 'stop') void ref?.stop('test');
    // A supervisor has no messages of its own.
    else if (how === 'crash' && kindOf(path) === 's') {
      if (ref !== undefined) void system.command(path, 'crash', 'test');
    } else ref?.send({ type: how === 'crash' ? 'BOOM' : 'FINISH' });
    await host.runUntilIdle();
  }

  async #ask(what: Asked, path: string): Promise<unknown> {
    const { system } = this.#bench;
    if (what === 'replan') return system.command(path, 'restart', 'test');
    if (what === 'hold') return system.command(path, 'stop', 'test');
    const cut = path.lastIndexOf('/');
    const above = system.supervisor(path.slice(0, cut));
    const id = path.slice(cut + 1);
    if (what === 'terminate') return above.terminateChild(id);
    return what === 'restart' ? above.restartChild(id) : above.deleteChild(id);
  }

  async #replace(above: string, plan: Plan): Promise<unknown> {
    return this.#bench.system.supervisor(above).replaceChild(this.#spec(plan, above));
  }

  async #outcome(asked: Promise<unknown>): Promise<Outcome> {
    try {
      await this.#bench.settle(asked);
      return 'ok';
    } catch (error) {
      return CODES[error instanceof MagError ? error.code : ''] ?? 'start_failed';
    }
  }

  #spec(plan: Plan, above: string): ChildSpec {
    const path = above === '' ? plan.id : `${above}/${plan.id}`;
    const options = {
      restart: plan.restart,
      ...(plan.significant ? { significant: true } : {}),
      // Base and cap are one: the delay is what it says.
      ...(plan.delay > 0 ? { backoff: { base: plan.delay, cap: plan.delay, resetAfter: 1 } } : {}),
      ...(plan.brutal ? { shutdown: 'brutal' as const } : {}),
    };
    const inner = plan.supervisor;
    if (inner !== null)
      return supervisor(plan.id, {
        ...options,
        strategy: inner.strategy,
        intensity: { max: inner.max, within: inner.within },
        autoShutdown: inner.autoShutdown,
        children: inner.children.map((child) => this.#spec(child, path)),
      });
    if (this.#dawdling && kindOf(plan.id) === 'c') return dawdler(plan.id, this.#life(path), options);
    return WORKERS[kindOf(plan.id)](plan.id, this.#life(path), options);
  }

  /** What a worker calls when it comes and goes. */
  #life(path: string): Living {
    return {
      begin: () => {
        const left = this.#failing.get(path) ?? 0;
        if (left > 0) this.#failing.set(path, left - 1);
        this.log.push(`${left > 0 ? '!' : '+'}${path}`);
        if (left > 0) throw new Error(`${path} does not start`);
      },
      end: () => void this.log.push(`-${path}`),
    };
  }
}

interface Living {
  begin(): void;
  end(): void;
}

type Kind = 'l' | 'm' | 'c' | 's';

export function kindOf(path: string): Kind {
  const letter = path.charAt(path.lastIndexOf('/') + 1);
  return letter === 'm' || letter === 'c' || letter === 's' ? letter : 'l';
}

const broke = (id: string): Error => new Error(`${id} broke`);

const WORKERS: Readonly<Record<Kind, (id: string, life: Living, options: object) => ChildSpec>> = {
  l: (id, life, options) =>
    light(
      id,
      {
        init: () => life.begin(),
        receive: (_, message, context) => {
          if (message.type === 'BOOM') throw broke(id);
          if (message.type === 'FINISH') context.finish();
        },
        stop: () => life.end(),
      },
      options,
    ),
  m: (id, life, options) => machine(id, mortalMachine(id, life), options),
  c: (id, life, options) =>
    component(
      id,
      async (context) => {
        await null;
        life.begin();
        return {
          handle: (message) => (message.type === 'BOOM' ? context.fail(broke(id)) : context.finish()),
          stop: async () => life.end(),
        };
      },
      options,
    ),
  s: (id) => {
    throw new Error(`${id} is a supervisor`);
  },
};

/** Starts (unless it is called off) and stops within milliseconds; every third one is stopped only by its limit. */
const dawdler = (id: string, life: Living, options: object): ChildSpec =>
  component(
    id,
    async (context) => {
      await sleep(context.host, 7, context.signal);
      life.begin();
      return {
        handle: (message) => (message.type === 'BOOM' ? context.fail(broke(id)) : context.finish()),
        stop: async () => {
          const hangs = Number(/\d+$/.exec(id)?.[0]) % 3 === 0;
          if (!hangs) await sleep(context.host, 3);
          life.end();
          if (hangs) await new Promise(() => {});
        },
      };
    },
    { shutdown: 20, ...options },
  );

/** It tells of its end from the cleanup of what it invokes, which is the one thing XState runs on every way out. */
const mortalMachine = (id: string, life: Living) =>
  setup({
    actors: { alive: fromCallback(() => () => life.end()) },
    actions: {
      breakDown: () => {
        throw broke(id);
      },
    },
  }).createMachine({
    context: () => {
      life.begin();
      return {};
    },
    initial: 'living',
    states: {
      living: { invoke: { src: 'alive' }, on: { BOOM: { actions: 'breakDown' }, FINISH: 'done' } },
      done: { type: 'final' },
    },
  });
