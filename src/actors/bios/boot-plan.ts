import { MagError } from '../../errors.ts';
import { BOOT_STAGES, type BootStage } from '../../protocol/board-status.ts';

/** What boot needs to know of a component to start it in its place. */
export interface BootComponent {
  readonly name: string;
  readonly stage: BootStage;
  /** Names of components that must be up first, of this stage or an earlier one. */
  readonly requires: readonly string[];
  /** An optional one that fails degrades the board; any other fails the boot. */
  readonly optional: boolean;
  /** Until it must be started and healthy, milliseconds. */
  readonly deadlineMs: number;
  /** Aborted at the deadline, and when the boot is given up. */
  start(signal: AbortSignal): Promise<void>;
  /** Called once after start; a rejection counts as a failed start. */
  health?(): Promise<void>;
  /** Called in reverse order of start, also for a component whose start failed or was given up. Must be idempotent. */
  stop?(): Promise<void>;
  /** Until it must have stopped, milliseconds; default LIMITS.shutdownMs. One that drains may need longer. */
  readonly stopMs?: number;
}

/** Components by stage, in an order in which each comes after all it requires. */
export type BootPlan = ReadonlyMap<BootStage, readonly BootComponent[]>;

const refuse = (component: string, problem: string): MagError =>
  new MagError('MAG_COMPONENT_INVALID', { component, problem });

const rank = (stage: BootStage): number => BOOT_STAGES.indexOf(stage);

/**
 * Orders the components before anything is started. Throws MAG_COMPONENT_INVALID that names the component: a name
 * used twice, a requirement that does not exist or belongs to a later stage, a cycle.
 */
export function planBoot(components: readonly BootComponent[]): BootPlan {
  const byName = new Map<string, BootComponent>();
  for (const component of components) {
    if (byName.has(component.name)) throw refuse(component.name, 'two components have this name');
    byName.set(component.name, component);
  }
  for (const component of components) checkRequirements(component, byName);
  const plan = new Map<BootStage, BootComponent[]>(BOOT_STAGES.map((stage) => [stage, []]));
  const settled = new Set<string>();
  const open: string[] = [];
  const visit = (component: BootComponent): void => {
    if (settled.has(component.name)) return;
    if (open.includes(component.name)) {
      const cycle = [...open.slice(open.indexOf(component.name)), component.name].join(' → ');
      throw refuse(component.name, `its requirements form a cycle: ${cycle}`);
    }
    open.push(component.name);
    for (const name of component.requires) {
      const required = byName.get(name);
      if (required !== undefined) visit(required);
    }
    open.pop();
    settled.add(component.name);
    plan.get(component.stage)?.push(component);
  };
  for (const component of components) visit(component);
  return plan;
}

function checkRequirements(component: BootComponent, byName: ReadonlyMap<string, BootComponent>): void {
  for (const name of component.requires) {
    const required = byName.get(name);
    if (required === undefined) throw refuse(component.name, `it requires ${name}, which does not exist`);
    if (rank(required.stage) > rank(component.stage)) {
      throw refuse(
        component.name,
        `it requires ${name}, which starts only in the later stage ${required.stage}`,
      );
    }
  }
}
