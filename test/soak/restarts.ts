import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createMachine } from 'xstate';
import {
  type ChildSpec,
  createSystem,
  type Host,
  light,
  machine,
  nodeHost,
  supervisor,
} from '../../src/index.ts';

/** No number of restarts within no time is too many: what is measured is the restarts, not the giving up. */
const UNLIMITED = { max: 1_000, within: 0.001 };

const broke = (): never => {
  throw new Error('broke on purpose');
};

const mortal = (id: string, options: Partial<ChildSpec> = {}): ChildSpec => ({
  ...light(id, { init: () => 0, receive: broke }),
  ...options,
});

/** One way to be restarted over and over. */
export interface Ordeal {
  readonly tree: ChildSpec;
  /** Is sent what it cannot bear. */
  readonly victim: string;
  /** Each incarnation has a monitor, and a question that it never answers. */
  readonly watched?: boolean;
  /** How many restarts it gets where the simplest way gets one: the slower ones get fewer. */
  readonly share: number;
}

const board = (
  children: readonly ChildSpec[],
  strategy: 'one_for_one' | 'one_for_all' | 'dynamic',
): ChildSpec => supervisor('board', { strategy, intensity: UNLIMITED, children });

/** Every path that a restart can take through the runtime. */
export const ORDEALS: Readonly<Record<string, Ordeal>> = {
  'a light actor': { tree: board([mortal('x')], 'one_for_one'), victim: 'board/x', share: 1 },
  'a light actor that is watched and asked': {
    tree: board([mortal('x')], 'dynamic'),
    victim: 'board/x',
    watched: true,
    share: 0.5,
  },
  'a named light actor that keeps its state': {
    tree: board(
      [mortal('x', { name: 'x', groups: ['g'], state: { keep: 'last', version: 1 } })],
      'one_for_one',
    ),
    victim: 'board/x',
    share: 0.5,
  },
  'a machine actor': {
    tree: board([machine('x', createMachine({ on: { GO: { actions: broke } } }))], 'one_for_one'),
    victim: 'board/x',
    share: 0.5,
  },
  'a light actor after a delay': {
    tree: board([mortal('x', { backoff: { base: 0.01, cap: 0.01, resetAfter: 1 } })], 'one_for_one'),
    victim: 'board/x',
    share: 0.25,
  },
  'a group': {
    tree: board([mortal('x'), mortal('y', { restart: 'transient' })], 'one_for_all'),
    victim: 'board/x',
    share: 0.25,
  },
  'a supervisor with its children': {
    tree: board(
      [supervisor('s', { intensity: { max: 0, within: 1 }, children: [mortal('x'), mortal('y')] })],
      'one_for_one',
    ),
    victim: 'board/s/x',
    share: 0.25,
  },
};

export interface Memory {
  /** Bytes of heap in use after a collection, before and after the counted restarts. */
  readonly before: number;
  readonly after: number;
  readonly restarts: number;
}

const collect = collector();

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  // A context that is made after the flag was set has it, whether or not the process was started with it.
  const gc: unknown = runInNewContext('gc');
  if (typeof gc !== 'function') throw new Error('V8 does not lend its collector');
  return () => void gc();
}

const heap = (): number => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};

/** The real host, but that what is due within a millisecond is due at once: a timer would take that long by itself. */
function hastyHost(): Host {
  const host = nodeHost();
  const setTimer: Host['setTimer'] = (delay, callback) => {
    if (delay >= 1) return host.setTimer(delay, callback);
    const timer = { id: null, cancelled: false };
    host.defer(() => {
      if (!timer.cancelled) callback();
    });
    return timer;
  };
  const clearTimer: Host['clearTimer'] = (timer) => {
    if ('cancelled' in timer) timer.cancelled = true;
    else host.clearTimer(timer);
  };
  return { ...host, setTimer, clearTimer };
}

/** Restarts it so often, one after the other, and weighs the heap before and after; a tenth more go before that. */
export async function restartInPlenty(ordeal: Ordeal, restarts: number): Promise<Memory> {
  const system = createSystem({ node: 'soak', host: hastyHost() });
  let came = 0;
  let waiting: (() => void) | null = null;
  await system.start(ordeal.tree);
  const stop = system.onLifecycle((event) => {
    if (event.type !== 'ready' || event.path !== ordeal.victim) return;
    came += 1;
    waiting?.();
  });
  let told = 0;
  const crash = async (times: number): Promise<void> => {
    const slot = system.slot(ordeal.victim);
    for (let n = 0; n < times; n += 1) {
      const back = new Promise<void>((resolve) => {
        waiting = resolve;
      });
      if (ordeal.watched === true) {
        system.lookup(ordeal.victim)?.monitor(() => {
          told += 1;
        });
        const answer = slot.ask({ type: 'GO' });
        await answer.catch(() => {});
      } else slot.send({ type: 'GO' });
      await back;
    }
  };
  await crash(Math.ceil(restarts / 10));
  came = 0;
  told = 0;
  const before = heap();
  await crash(restarts);
  const after = heap();
  stop();
  await system.stop('soak');
  if (came !== restarts || (ordeal.watched === true && told !== restarts))
    throw new Error(`${came} restarts and ${told} DOWNs came of ${restarts} crashes`);
  return { before, after, restarts };
}
