import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type ComponentEvent, componentMachine } from '../../../src/machines/component.ts';
import { emptyWindow } from '../../../src/machines/restart.ts';
import { type SupervisorEvent, supervisorMachine } from '../../../src/machines/supervisor.ts';
import { stateText } from '../../../src/runtime/xstate-root.ts';

/** Where each event leads from each state. The types make a missing cell an error of the compiler. */
type Table<State extends string, Event extends string> = Record<State, Record<Event, State>>;

type SupervisorState =
  | 'starting'
  | 'up.running'
  | 'up.backing_off'
  | 'up.restarting'
  | 'stopping'
  | 'failing'
  | 'stopped'
  | 'failed';

const error = new Error('x');
const down = { rule: 'permanent', exit: 'error', error, at: 0 } as const;
const SUPERVISOR_EVENTS: Record<SupervisorEvent['type'], SupervisorEvent> = {
  STARTED: { type: 'STARTED' },
  START_FAILED: { type: 'START_FAILED', error },
  CHILD_DOWN: { type: 'CHILD_DOWN', id: 'a', ...down },
  WAITING: { type: 'WAITING', id: 'a' },
  RESTARTING: { type: 'RESTARTING', id: 'a' },
  RESTARTED: { type: 'RESTARTED', id: 'a' },
  STOP: { type: 'STOP' },
  GIVE_UP: { type: 'GIVE_UP', error },
  CRASHED: { type: 'CRASHED', error },
  ALL_STOPPED: { type: 'ALL_STOPPED' },
};

const same = <State extends string>(state: State): Record<SupervisorEvent['type'], State> => ({
  STARTED: state,
  START_FAILED: state,
  CHILD_DOWN: state,
  WAITING: state,
  RESTARTING: state,
  RESTARTED: state,
  STOP: state,
  GIVE_UP: state,
  CRASHED: state,
  ALL_STOPPED: state,
});

const leaving = { STOP: 'stopping', GIVE_UP: 'failing', CRASHED: 'failing' } as const;
const moving = { WAITING: 'up.backing_off', RESTARTING: 'up.restarting', RESTARTED: 'up.running' } as const;

const SUPERVISOR: Table<SupervisorState, SupervisorEvent['type']> = {
  starting: {
    ...same<SupervisorState>('starting'),
    ...leaving,
    STARTED: 'up.running',
    START_FAILED: 'failing',
  },
  'up.running': { ...same<SupervisorState>('up.running'), ...leaving, ...moving },
  // A child that is down is no longer waiting, until its next restart says so.
  'up.backing_off': {
    ...same<SupervisorState>('up.backing_off'),
    ...leaving,
    ...moving,
    CHILD_DOWN: 'up.running',
  },
  'up.restarting': {
    ...same<SupervisorState>('up.restarting'),
    ...leaving,
    ...moving,
    CHILD_DOWN: 'up.running',
  },
  // GIVE_UP is only raised by a judgement, and nothing is judged any more.
  stopping: { ...same<SupervisorState>('stopping'), GIVE_UP: 'failing', ALL_STOPPED: 'stopped' },
  failing: { ...same<SupervisorState>('failing'), ALL_STOPPED: 'failed' },
  stopped: same('stopped'),
  failed: same('failed'),
};

const SUPERVISOR_PATHS: Record<SupervisorState, readonly SupervisorEvent['type'][]> = {
  starting: [],
  'up.running': ['STARTED'],
  'up.backing_off': ['STARTED', 'WAITING'],
  'up.restarting': ['STARTED', 'RESTARTING'],
  stopping: ['STOP'],
  failing: ['CRASHED'],
  stopped: ['STOP', 'ALL_STOPPED'],
  failed: ['CRASHED', 'ALL_STOPPED'],
};

const names = <Key extends string>(record: Record<Key, unknown>): readonly Key[] =>
  Object.keys(record) as Key[];

describe('the supervisor chart', () => {
  const cells = names(SUPERVISOR).flatMap((state) =>
    names(SUPERVISOR_EVENTS).map((event) => [state, event] as const),
  );

  it.each(cells)('in %s on %s goes where the table says', (state, event) => {
    const effects = { startAll: () => {}, stopAll: () => {}, restart: () => {}, forget: () => {} };
    const input = { effects, budget: { window: emptyWindow({ max: 3, within: 1_000 }) } };
    const actor = createActor(supervisorMachine, { input }).start();
    for (const step of SUPERVISOR_PATHS[state]) actor.send(SUPERVISOR_EVENTS[step]);
    expect(stateText(actor.getSnapshot().value)).toBe(state);
    if (actor.getSnapshot().status === 'active') actor.send(SUPERVISOR_EVENTS[event]);
    expect(stateText(actor.getSnapshot().value)).toBe(SUPERVISOR[state][event]);
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
