import { assign, setup } from 'xstate';
import {
  BOOT_STAGES,
  type BoardStatus,
  type BootStage,
  type ComponentHealth,
} from '../../protocol/board-status.ts';

export interface BootContext {
  readonly components: readonly ComponentHealth[];
  /** Why the boot failed, or null. */
  readonly failure: string | null;
}

export type BootEvent =
  /** Every component of the current stage has its outcome. */
  | { readonly type: 'STAGE_COMPLETED' }
  | { readonly type: 'COMPONENT_CHANGED'; readonly health: ComponentHealth }
  /** A component that the board cannot do without did not start. */
  | { readonly type: 'BOOT_FAILED'; readonly reason: string }
  | { readonly type: 'DRAIN' }
  | { readonly type: 'STOPPED' };

const isWhole = ({ context }: { context: BootContext }): boolean =>
  context.components.every((component) => component.status === 'healthy');

/** booting.STAGE of each stage in turn → ready ⇄ degraded → draining → stopped; booting → failed → stopped. */
export const bootMachine = setup({
  types: {
    // xstate's way of declaring types: the values are never used.
    context: {} as BootContext,
    events: {} as BootEvent,
    input: {} as { components: readonly ComponentHealth[] },
  },
  guards: { isWhole, isBroken: (state) => !isWhole(state) },
  actions: {
    noteComponent: assign(({ context, event }) => {
      if (event.type !== 'COMPONENT_CHANGED') return {};
      const { health } = event;
      const known = context.components.some((component) => component.name === health.name);
      const components = known
        ? context.components.map((component) => (component.name === health.name ? health : component))
        : [...context.components, health];
      return { components };
    }),
    noteFailure: assign(({ event }) => (event.type === 'BOOT_FAILED' ? { failure: event.reason } : {})),
  },
}).createMachine({
  id: 'board',
  context: ({ input }) => ({ components: input.components, failure: null }),
  initial: 'booting',
  on: { COMPONENT_CHANGED: { actions: 'noteComponent' } },
  states: {
    booting: {
      initial: BOOT_STAGES[0],
      states: {
        self_test: { on: { STAGE_COMPLETED: 'configuration' } },
        configuration: { on: { STAGE_COMPLETED: 'security' } },
        security: { on: { STAGE_COMPLETED: 'registry' } },
        registry: { on: { STAGE_COMPLETED: 'storage' } },
        storage: { on: { STAGE_COMPLETED: 'compute' } },
        compute: { on: { STAGE_COMPLETED: 'extensions' } },
        extensions: { on: { STAGE_COMPLETED: 'control_plane' } },
        control_plane: {
          on: {
            STAGE_COMPLETED: [{ guard: 'isWhole', target: '#board.ready' }, { target: '#board.degraded' }],
          },
        },
      },
      on: { BOOT_FAILED: { target: 'failed', actions: 'noteFailure' }, DRAIN: 'draining' },
    },
    ready: { always: { guard: 'isBroken', target: 'degraded' }, on: { DRAIN: 'draining' } },
    degraded: { always: { guard: 'isWhole', target: 'ready' }, on: { DRAIN: 'draining' } },
    draining: { on: { STOPPED: 'stopped' } },
    failed: { on: { STOPPED: 'stopped' } },
    // Not a final state: a late report of a component is no mistake that xstate should warn of.
    stopped: {},
  },
});

/** A state value of the machine: a leaf, or `{booting: STAGE}`. */
type BootState = string | { readonly booting?: BootStage };

/** The board's status as /livez and /readyz show it. A failed boot never left its stage; a stopped one is drained. */
export function boardStatus(value: BootState, context: BootContext, stage: BootStage): BoardStatus {
  const { components } = context;
  if (typeof value === 'object') return { status: 'booting', stage: value.booting ?? stage, components };
  if (value === 'ready' || value === 'degraded') return { status: value, stage: 'ready', components };
  if (value === 'failed') return { status: 'booting', stage, components };
  return { status: 'draining', stage: 'ready', components };
}
