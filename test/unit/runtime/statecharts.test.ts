import { describe, expect, it } from 'vitest';
import { type Actor, createActor } from 'xstate';
import { type ComponentEvent, componentMachine } from '../../../src/machines/component.ts';
import { RestartWindow } from '../../../src/machines/restart.ts';
import {
  type SupervisorEvent,
  type SupervisorInput,
  supervisorMachine,
} from '../../../src/machines/supervisor.ts';
import { stateText } from '../../../src/runtime/behaviours/xstate-root.ts';

/** Where each event leads from each state. The types make a missing cell an error of the compiler. */
type Table<State extends string, Event extends string> = Record<State, Record<Event, State>>;

type SupervisorState =
  | 'starting'
  | 'up.running'
  | 'up.backing_off'
  | 'up.restarting'
  | 'shutting_down'
  | 'stopping'
  | 'failing'
  | 'shut_down'
  | 'stopped'
  | 'failed';

/** An event whose fields decide where it leads has a name for each case. */
type SupervisorCase =
  | Exclude<SupervisorEvent['type'], 'REPAIRS'>
  | 'REPAIRS, some wait'
  | 'REPAIRS, some restart'
  | 'REPAIRS, none left';

const error = new Error('x');
const down = {
  rule: 'permanent',
  exit: 'error',
  error,
  significant: false,
  significantLeft: 0,
  at: 0,
} as const;
const SUPERVISOR_EVENTS: Record<SupervisorCase, SupervisorEvent> = {
  STARTED: { type: 'STARTED' },
  START_FAILED: { type: 'START_FAILED', error },
  CHILD_DOWN: { type: 'CHILD_DOWN', id: 'a', ...down },
  'REPAIRS, some wait': { type: 'REPAIRS', waiting: 2, restarting: 0 },
  'REPAIRS, some restart': { type: 'REPAIRS', waiting: 1, restarting: 1 },
  'REPAIRS, none left': { type: 'REPAIRS', waiting: 0, restarting: 0 },
  RESTARTED_AT_ONCE: { type: 'RESTARTED_AT_ONCE', count: 3 },
  STOP: { type: 'STOP' },
  GIVE_UP: { type: 'GIVE_UP', error },
  AUTO_SHUTDOWN: { type: 'AUTO_SHUTDOWN' },
  CRASHED: { type: 'CRASHED', error },
  ALL_STOPPED: { type: 'ALL_STOPPED' },
};

const same = <State extends string>(state: State): Record<SupervisorCase, State> => ({
  STARTED: state,
  START_FAILED: state,
  CHILD_DOWN: state,
  'REPAIRS, some wait': state,
  'REPAIRS, some restart': state,
  'REPAIRS, none left': state,
  RESTARTED_AT_ONCE: state,
  STOP: state,
  GIVE_UP: state,
  AUTO_SHUTDOWN: state,
  CRASHED: state,
  ALL_STOPPED: state,
});

const leaving = { STOP: 'stopping', GIVE_UP: 'failing', CRASHED: 'failing' } as const;
const up = {
  ...leaving,
  AUTO_SHUTDOWN: 'shutting_down',
  'REPAIRS, some wait': 'up.backing_off',
  'REPAIRS, some restart': 'up.restarting',
  'REPAIRS, none left': 'up.running',
} as const;

const SUPERVISOR: Table<SupervisorState, SupervisorCase> = {
  starting: {
    ...same<SupervisorState>('starting'),
    ...leaving,
    STARTED: 'up.running',
    START_FAILED: 'failing',
  },
  'up.running': { ...same<SupervisorState>('up.running'), ...up },
  'up.backing_off': { ...same<SupervisorState>('up.backing_off'), ...up },
  'up.restarting': { ...same<SupervisorState>('up.restarting'), ...up },
  // GIVE_UP is only raised by a judgement, and nothing is judged any more.
  shutting_down: {
    ...same<SupervisorState>('shutting_down'),
    GIVE_UP: 'failing',
    ALL_STOPPED: 'shut_down',
  },
  stopping: { ...same<SupervisorState>('stopping'), GIVE_UP: 'failing', ALL_STOPPED: 'stopped' },
  failing: { ...same<SupervisorState>('failing'), ALL_STOPPED: 'failed' },
  shut_down: same('shut_down'),
  stopped: same('stopped'),
  failed: same('failed'),
};

const SUPERVISOR_PATHS: Record<SupervisorState, readonly SupervisorCase[]> = {
  starting: [],
  'up.running': ['STARTED'],
  'up.backing_off': ['STARTED', 'REPAIRS, some wait'],
  'up.restarting': ['STARTED', 'REPAIRS, some restart'],
  shutting_down: ['STARTED', 'AUTO_SHUTDOWN'],
  stopping: ['STOP'],
  failing: ['CRASHED'],
  shut_down: ['STARTED', 'AUTO_SHUTDOWN', 'ALL_STOPPED'],
  stopped: ['STOP', 'ALL_STOPPED'],
  failed: ['CRASHED', 'ALL_STOPPED'],
};

const names = <Key extends string>(record: Record<Key, unknown>): readonly Key[] =>
  Object.keys(record) as Key[];

interface Chart {
  readonly actor: Actor<typeof supervisorMachine>;
  /** What it made happen. */
  readonly done: string[];
}

function supervisorChart(input: Partial<SupervisorInput> = {}): Chart {
  const done: string[] = [];
  const effects = {
    startAll: () => void done.push('startAll'),
    stopAll: () => void done.push('stopAll'),
    restart: (id: string) => void done.push(`restart ${id}`),
    forget: (id: string) => void done.push(`forget ${id}`),
    condemn: (id: string) => void done.push(`condemn ${id}`),
  };
  const window = new RestartWindow({ max: 3, within: 1_000 });
  const defaults: SupervisorInput = { effects, window, autoShutdown: 'never', grouped: false };
  return { actor: createActor(supervisorMachine, { input: { ...defaults, ...input } }).start(), done };
}

describe('the supervisor chart', () => {
  const cells = names(SUPERVISOR).flatMap((state) =>
    names(SUPERVISOR_EVENTS).map((event) => [state, event] as const),
  );

  it.each(cells)('in %s on %s goes where the table says', (state, event) => {
    const { actor } = supervisorChart();
    for (const step of SUPERVISOR_PATHS[state]) actor.send(SUPERVISOR_EVENTS[step]);
    expect(stateText(actor.getSnapshot().value)).toBe(state);
    if (actor.getSnapshot().status === 'active') actor.send(SUPERVISOR_EVENTS[event]);
    expect(stateText(actor.getSnapshot().value)).toBe(SUPERVISOR[state][event]);
  });

  const ended = {
    type: 'CHILD_DOWN',
    id: 'a',
    ...down,
    rule: 'transient',
    exit: 'normal',
    significant: true,
  } as const;
  const AUTO: readonly (readonly [SupervisorInput['autoShutdown'], number, string])[] = [
    ['never', 0, 'up.running'],
    ['any_significant', 1, 'shutting_down'],
    ['all_significant', 1, 'up.running'],
    ['all_significant', 0, 'shutting_down'],
  ];
  it.each(AUTO)('with autoShutdown %s and %i significant children left is then %s', (mode, left, state) => {
    const { actor } = supervisorChart({ autoShutdown: mode });
    actor.send({ type: 'STARTED' });
    actor.send({ ...ended, significantLeft: left });
    expect(stateText(actor.getSnapshot().value)).toBe(state);
  });

  it('shuts down once all have started where a significant child ended before', () => {
    const { actor, done } = supervisorChart({ autoShutdown: 'any_significant' });
    actor.send(ended);
    expect(stateText(actor.getSnapshot().value)).toBe('starting');
    actor.send({ type: 'STARTED' });
    expect(stateText(actor.getSnapshot().value)).toBe('shutting_down');
    expect(done).toEqual(['startAll', 'forget a', 'stopAll']);
  });

  it('judges children that depend on each other when all have started, in the order they ended', () => {
    const { actor, done } = supervisorChart({ grouped: true });
    actor.send({ type: 'CHILD_DOWN', id: 'b', ...down });
    actor.send({ type: 'CHILD_DOWN', id: 'a', ...down });
    expect(done).toEqual(['startAll']);
    actor.send({ type: 'STARTED' });
    expect(done).toEqual(['startAll', 'restart b', 'restart a']);
  });
});

type ComponentState =
  | 'starting'
  | 'running.healthy'
  | 'running.degraded'
  | 'draining'
  | 'freeing'
  | 'failing'
  | 'stopped'
  | 'failed';

const COMPONENT_EVENTS: Record<ComponentEvent['type'], ComponentEvent> = {
  STARTED: { type: 'STARTED' },
  DEGRADED: { type: 'DEGRADED', detail: 'slow' },
  RECOVERED: { type: 'RECOVERED' },
  CRASHED: { type: 'CRASHED', error },
  STOP: { type: 'STOP' },
  DRAINED: { type: 'DRAINED' },
  FREED: { type: 'FREED' },
};

const stay = <State extends string>(state: State): Record<ComponentEvent['type'], State> => ({
  STARTED: state,
  DEGRADED: state,
  RECOVERED: state,
  CRASHED: state,
  STOP: state,
  DRAINED: state,
  FREED: state,
});

const ending = { STOP: 'draining', CRASHED: 'failing' } as const;

const COMPONENT: Table<ComponentState, ComponentEvent['type']> = {
  starting: {
    ...stay<ComponentState>('starting'),
    STARTED: 'running.healthy',
    STOP: 'freeing',
    CRASHED: 'failing',
  },
  'running.healthy': { ...stay<ComponentState>('running.healthy'), ...ending, DEGRADED: 'running.degraded' },
  'running.degraded': {
    ...stay<ComponentState>('running.degraded'),
    ...ending,
    RECOVERED: 'running.healthy',
  },
  draining: { ...stay<ComponentState>('draining'), DRAINED: 'freeing', CRASHED: 'failing' },
  freeing: { ...stay<ComponentState>('freeing'), FREED: 'stopped' },
  failing: { ...stay<ComponentState>('failing'), FREED: 'failed' },
  stopped: stay('stopped'),
  failed: stay('failed'),
};

const COMPONENT_PATHS: Record<ComponentState, readonly ComponentEvent['type'][]> = {
  starting: [],
  'running.healthy': ['STARTED'],
  'running.degraded': ['DEGRADED', 'STARTED'],
  draining: ['STARTED', 'STOP'],
  freeing: ['STOP'],
  failing: ['CRASHED'],
  stopped: ['STOP', 'FREED'],
  failed: ['STARTED', 'CRASHED', 'FREED'],
};

describe('the component chart', () => {
  const cells = names(COMPONENT).flatMap((state) =>
    names(COMPONENT_EVENTS).map((event) => [state, event] as const),
  );

  it.each(cells)('in %s on %s goes where the table says', (state, event) => {
    const done: string[] = [];
    const note = (what: string) => () => void done.push(what);
    const effects = {
      start: note('start'),
      open: note('open'),
      close: note('close'),
      drain: note('drain'),
      free: note('free'),
    };
    const actor = createActor(componentMachine, { input: { effects } }).start();
    for (const step of COMPONENT_PATHS[state]) actor.send(COMPONENT_EVENTS[step]);
    expect(stateText(actor.getSnapshot().value)).toBe(state);
    if (actor.getSnapshot().status === 'active') actor.send(COMPONENT_EVENTS[event]);
    expect(stateText(actor.getSnapshot().value)).toBe(COMPONENT[state][event]);
    // Freed at most once, and never offered after it was closed.
    expect(done.filter((what) => what === 'free').length).toBeLessThanOrEqual(1);
    expect(
      done.filter((what) => what === 'open').length - done.filter((what) => what === 'close').length,
    ).toBe(stateText(actor.getSnapshot().value).startsWith('running') ? 1 : 0);
  });
});
