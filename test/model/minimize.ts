import type { Plan } from './plan.ts';
import type { Scenario, Step } from './steps.ts';

/**
 * The smallest scenario near the given one that still fails: without steps, then without parts of the tree, then with
 * plainer settings, until nothing more can be left out. Steps name their targets by path, so that leaving out one
 * thing does not turn the rest into something else, as it would for fast-check, which draws targets by number.
 */
export async function minimize(
  failing: Scenario,
  fails: (scenario: Scenario) => Promise<boolean>,
  tries = 2_000,
): Promise<Scenario> {
  let smallest = failing;
  let left = tries;
  for (let progress = true; progress && left > 0; ) {
    progress = false;
    for (const candidate of simpler(smallest)) {
      left -= 1;
      if (left <= 0) break;
      if (!(await fails(candidate))) continue;
      smallest = candidate;
      progress = true;
      break;
    }
  }
  return smallest;
}

function* simpler({ plan, steps }: Scenario): Generator<Scenario> {
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2))
    for (let from = steps.length - size; from >= 0; from -= size)
      yield { plan, steps: [...steps.slice(0, from), ...steps.slice(from + size)] };
  for (const plainer of plainerPlans(plan)) yield { plan: plainer, steps };
  for (const [index, step] of steps.entries())
    for (const plainer of plainerSteps(step)) yield { plan, steps: steps.with(index, plainer) };
}

function* plainerSteps(step: Step): Generator<Step> {
  if (step.do === 'break' && step.times > 1) yield { ...step, times: step.times - 1 };
  if (step.do === 'start' || step.do === 'replace')
    for (const plan of plainerPlans(step.plan)) yield { ...step, plan };
}

function* plainerPlans(plan: Plan): Generator<Plan> {
  const { supervisor } = plan;
  if (supervisor !== null) {
    const { children } = supervisor;
    const having = (others: readonly Plan[]): Plan => ({
      ...plan,
      supervisor: { ...supervisor, children: others },
    });
    for (const index of children.keys()) yield having(children.toSpliced(index, 1));
    for (const [index, child] of children.entries())
      for (const plainer of plainerPlans(child)) yield having(children.with(index, plainer));
    if (supervisor.strategy !== 'one_for_one')
      yield { ...plan, supervisor: { ...supervisor, strategy: 'one_for_one' } };
  }
  if (plan.significant) yield { ...plan, significant: false };
  if (plan.brutal) yield { ...plan, brutal: false };
  if (plan.delay > 0) yield { ...plan, delay: 0 };
  if (plan.restart !== 'permanent' && !plan.significant) yield { ...plan, restart: 'permanent' };
}
