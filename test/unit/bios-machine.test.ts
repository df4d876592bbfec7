import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type BootEvent, bootMachine } from '../../src/actors/bios/machine.ts';
import { BOOT_STAGES, type BootStage, type ComponentHealth } from '../../src/protocol/board-status.ts';

type State = BootStage | 'ready' | 'degraded' | 'draining' | 'failed' | 'stopped';
type EventName = 'STAGE_COMPLETED' | 'BROKEN' | 'HEALED' | 'BOOT_FAILED' | 'DRAIN' | 'STOPPED';

const health = (status: ComponentHealth['status']): ComponentHealth => ({
  name: 'gate',
  stage: 'control_plane',
  status,
  optional: true,
  detail: null,
});

const EVENTS: Readonly<Record<EventName, BootEvent>> = {
  STAGE_COMPLETED: { type: 'STAGE_COMPLETED' },
  BROKEN: { type: 'COMPONENT_CHANGED', health: health('degraded') },
  HEALED: { type: 'COMPONENT_CHANGED', health: health('healthy') },
  BOOT_FAILED: { type: 'BOOT_FAILED', reason: 'no luck' },
  DRAIN: { type: 'DRAIN' },
  STOPPED: { type: 'STOPPED' },
};

/** While booting every stage answers the same, but for where its completion leads. */
const booting = (stage: BootStage, next: State): Record<EventName, State> => ({
  STAGE_COMPLETED: next,
  BROKEN: stage,
  HEALED: stage,
  BOOT_FAILED: 'failed',
  DRAIN: 'draining',
  STOPPED: stage,
});

const stays = (state: State, changes: Partial<Record<EventName, State>>): Record<EventName, State> => ({
  STAGE_COMPLETED: state,
  BROKEN: state,
  HEALED: state,
  BOOT_FAILED: state,
  DRAIN: state,
  STOPPED: state,
  ...changes,
});

/** Where each event leads from each state, with one component that is healthy where the state allows it. */
const TABLE: Readonly<Record<State, Readonly<Record<EventName, State>>>> = {
  self_test: booting('self_test', 'configuration'),
  configuration: booting('configuration', 'security'),
  security: booting('security', 'registry'),
  registry: booting('registry', 'storage'),
  storage: booting('storage', 'compute'),
  compute: booting('compute', 'extensions'),
  extensions: booting('extensions', 'control_plane'),
  control_plane: booting('control_plane', 'ready'),
  ready: stays('ready', { BROKEN: 'degraded', DRAIN: 'draining' }),
  degraded: stays('degraded', { HEALED: 'ready', DRAIN: 'draining' }),
  draining: stays('draining', { STOPPED: 'stopped' }),
  failed: stays('failed', { STOPPED: 'stopped' }),
  stopped: stays('stopped', {}),
};

/** Events that lead from the start to the state. */
function pathTo(state: State): readonly EventName[] {
  const names: readonly State[] = BOOT_STAGES;
  const stage = names.indexOf(state);
  const stages = (count: number): EventName[] => Array.from({ length: count }, () => 'STAGE_COMPLETED');
  if (stage !== -1) return stages(stage);
  if (state === 'ready') return stages(BOOT_STAGES.length);
  if (state === 'degraded') return [...stages(BOOT_STAGES.length), 'BROKEN'];
  if (state === 'failed') return ['BOOT_FAILED'];
  return state === 'draining' ? ['DRAIN'] : ['DRAIN', 'STOPPED'];
}

function after(events: readonly EventName[]): State {
  const actor = createActor(bootMachine, { input: { components: [health('healthy')] } });
  actor.start();
  for (const event of events) actor.send(EVENTS[event]);
  const { value } = actor.getSnapshot();
  // The machine's states are those of the table.
  return (typeof value === 'object' ? value.booting : value) as State;
}

describe('the boot statechart', () => {
  // The keys of the two constants are exactly their types.
  const cells = (Object.keys(TABLE) as State[]).flatMap((state) =>
    (Object.keys(EVENTS) as EventName[]).map((event) => [state, event, TABLE[state][event]] as const),
  );

  it.each(cells)('in %s on %s is %s', (state, event, expected) => {
    expect(after(pathTo(state))).toBe(state);
    expect(after([...pathTo(state), event])).toBe(expected);
  });

  it('comes up degraded where a component is not healthy', () => {
    expect(after(['BROKEN', ...pathTo('ready')])).toBe('degraded');
  });
});
