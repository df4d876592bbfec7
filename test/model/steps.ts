import fc from 'fast-check';
import type { Plan, SupervisorPlan } from './plan.ts';

/** What a supervisor is asked to do with a child; `hold` and `replan` are the operator's commands stop and restart. */
export type Asked = 'terminate' | 'hold' | 'restart' | 'delete' | 'replan';

/** One thing that happens to a tree. `at` is the path of whom it happens to, of the supervisor for `start` and `replace`. */
export type Step =
  | { readonly do: 'crash' | 'finish' | 'stop'; readonly at: string }
  | { readonly do: Asked; readonly at: string }
  | { readonly do: 'break'; readonly at: string; readonly times: number }
  | { readonly do: 'replace'; readonly at: string; readonly plan: Plan }
  | { readonly do: 'start'; readonly at: string; readonly plan: Plan }
  | { readonly do: 'wait'; readonly ms: number };

export interface Scenario {
  readonly plan: Plan;
  readonly steps: readonly Step[];
}

const MAX_ACTORS = 30;
const MAX_DEPTH = 4;

/** A tree before its ids are given. */
interface Shape {
  readonly kind: 'l' | 'm' | 'c';
  readonly restart: Plan['restart'];
  readonly significant: boolean;
  readonly delay: number;
  readonly brutal: boolean;
  readonly how: Omit<SupervisorPlan, 'children'> | null;
  readonly below: readonly Shape[];
}

const restart = fc.constantFrom('permanent', 'transient', 'temporary');
/** Few values, so that restarts of different children fall on the same moment now and then. */
const delay = fc.constantFrom(0, 0, 10, 30);
const how = fc
  .record({
    strategy: fc.constantFrom<SupervisorPlan['strategy']>(
      'one_for_one',
      'one_for_all',
      'rest_for_one',
      'dynamic',
    ),
    max: fc.nat(4),
    within: fc.constantFrom(20, 20, 100, 1_000),
    autoShutdown: fc.constantFrom<SupervisorPlan['autoShutdown']>(
      'never',
      'never',
      'any_significant',
      'all_significant',
    ),
  })
  // Auto shutdown of a dynamic supervisor is refused (OTP).
  .map((made) => (made.strategy === 'dynamic' ? { ...made, autoShutdown: 'never' as const } : made));

const worker: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constantFrom('l', 'm', 'c'),
  restart,
  significant: fc.boolean(),
  delay,
  brutal: fc.boolean(),
  how: fc.constant(null),
  below: fc.constant([]),
});

const branch = (depth: number): fc.Arbitrary<Shape> => {
  const child =
    depth <= 1
      ? worker
      : fc.oneof({ weight: 3, arbitrary: worker }, { weight: 2, arbitrary: branch(depth - 1) });
  return fc.record({
    kind: fc.constant('l'),
    restart,
    significant: fc.boolean(),
    delay,
    brutal: fc.constant(false),
    how,
    below: fc.array(child, { maxLength: 5 }),
  });
};

/** Numbers the actors as they start; those above the limit are left out. */
function plant(
  shape: Shape,
  counter: { next: number },
  above: SupervisorPlan['autoShutdown'],
  tag: string,
): Plan {
  const id = `${shape.how === null ? shape.kind : 's'}${tag}${counter.next}`;
  counter.next += 1;
  return {
    id,
    restart: shape.restart,
    // Significance without auto shutdown, or of a permanent child, is refused (OTP).
    significant: shape.significant && above !== 'never' && shape.restart !== 'permanent',
    delay: shape.delay,
    // Only a light actor says nothing when it is killed: the others free what they hold.
    brutal: shape.brutal && shape.kind === 'l' && shape.how === null,
    supervisor: shape.how === null ? null : { ...shape.how, children: plantAll(shape, counter, tag) },
  };
}

function plantAll(shape: Shape, counter: { next: number }, tag: string): readonly Plan[] {
  const plans: Plan[] = [];
  for (const below of shape.below)
    if (counter.next < MAX_ACTORS) plans.push(plant(below, counter, shape.how?.autoShutdown ?? 'never', tag));
  return plans;
}

/** A step before it is known whom it happens to. */
interface Intent {
  readonly do: Step['do'];
  readonly whom: number;
  readonly amount: number;
  readonly shape: Shape;
}

const intent: fc.Arbitrary<Intent> = fc.record({
  do: fc.oneof(
    { weight: 10, arbitrary: fc.constant('crash' as const) },
    { weight: 3, arbitrary: fc.constantFrom('finish' as const, 'stop' as const) },
    { weight: 3, arbitrary: fc.constant('break' as const) },
    { weight: 5, arbitrary: fc.constant('wait' as const) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        ...(['start', 'replace', 'terminate', 'hold', 'restart', 'delete', 'replan'] as const),
      ),
    },
  ),
  whom: fc.nat(),
  // Some of the times are those of the windows and the delays: what falls on an edge matters most.
  amount: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(10, 20, 30, 100)),
  shape: fc.oneof({ weight: 3, arbitrary: worker }, { weight: 1, arbitrary: branch(1) }),
});

const pathsBelow = (plan: Plan, path: string): readonly string[] =>
  (plan.supervisor?.children ?? []).flatMap((child) => [
    `${path}/${child.id}`,
    ...pathsBelow(child, `${path}/${child.id}`),
  ]);

const isSupervisor = (path: string): boolean => path.charAt(path.lastIndexOf('/') + 1) === 's';

/** Another plan for who is at the path: of its kind, and its id. */
function successor(path: string, shape: Shape): Plan {
  const id = path.slice(path.lastIndexOf('/') + 1);
  const plain: Shape['how'] = { strategy: 'one_for_one', max: 2, within: 100, autoShutdown: 'never' };
  const kind = (['m', 'c'] as const).find((letter) => id.startsWith(letter)) ?? 'l';
  const like: Shape = isSupervisor(path)
    ? { ...shape, how: shape.how ?? plain }
    : { ...shape, kind, how: null, below: [] };
  return { ...plant(like, { next: 0 }, 'never', 'y'), id };
}

/** Gives each intent somebody who is there in the plan, or was added by an earlier step. */
function aim(plan: Plan, intents: readonly Intent[]): readonly Step[] {
  const known = [plan.id, ...pathsBelow(plan, plan.id)];
  const steps: Step[] = [];
  const pick = (paths: readonly string[], whom: number): string => paths[whom % paths.length] ?? plan.id;
  for (const { do: what, whom, amount, shape } of intents) {
    if (what === 'wait') steps.push({ do: what, ms: amount });
    else if (what === 'start') {
      const at = pick(known.filter(isSupervisor), whom);
      // Few ids, so that some are taken.
      const child = plant(shape, { next: amount % 2 }, 'never', 'x');
      steps.push({ do: what, at, plan: child });
      known.push(`${at}/${child.id}`, ...pathsBelow(child, `${at}/${child.id}`));
    } else if (known.length > 1) {
      // The root has nobody above it who could be asked.
      const at = pick(known.slice(1), whom);
      if (what === 'replace') {
        steps.push({ do: what, at: at.slice(0, at.lastIndexOf('/')), plan: successor(at, shape) });
        continue;
      }
      if (what !== 'break') steps.push({ do: what, at });
      else if (!isSupervisor(at)) steps.push({ do: what, at, times: (amount % 4) + 1 });
    }
  }
  return steps;
}

/** Trees of at most four levels and thirty actors, and what happens to them. */
export const scenario: fc.Arbitrary<Scenario> = fc
  .tuple(branch(MAX_DEPTH - 1), fc.array(intent, { maxLength: 25 }))
  .map(([shape, intents]) => {
    const plan = plant(shape, { next: 0 }, 'never', '');
    return { plan, steps: aim(plan, intents) };
  });
