import { describeScenario } from './comparison.ts';
import { minimize } from './minimize.ts';
import type { Plan } from './plan.ts';
import { RealTree } from './real-tree.ts';
import type { Scenario, Step } from './steps.ts';

/** Longer than any delay or limit in a scenario. */
const CALM_MS = 100_000;

/**
 * A scenario whose steps do not wait for each other: each meets the runtime somewhere in the middle of what the ones
 * before it set off. What exactly comes of it is left open; what must hold of any outcome is checked once it is calm.
 */
export async function weather(scenario: Scenario, seed: number): Promise<void> {
  const first = await damage(scenario, seed);
  if (first === null) return;
  const smallest = await minimize(scenario, async (candidate) => (await damage(candidate, seed)) !== null);
  throw new Error(`${(await damage(smallest, seed)) ?? first}\n${describeScenario(smallest)}`);
}

/** What is broken after the storm, or null. */
async function damage({ plan, steps }: Scenario, seed: number): Promise<string | null> {
  const real = new RealTree(plan, seed, true);
  if ((await real.start()) !== 'ok') return null;
  const pending = new Set<Step>();
  for (const step of steps) {
    pending.add(step);
    const done = real.apply(step).then(() => pending.delete(step));
    // Time moves for all at once; anything else is left under way.
    if (step.do === 'wait') await done;
    else for (let turns = pause(step, seed); turns > 0; turns -= 1) await null;
  }
  await real.wait(CALM_MS);
  // Each step waits for the host by itself: it notices the calm a little later than the host does.
  for (let turns = 0; turns < 200; turns += 1) await null;
  const [hanging] = pending;
  if (hanging !== undefined) return `it never answered ${JSON.stringify(hanging)}`;
  const broken = (await unsettled(real, plan, steps)) ?? doubled(real.log, steps, plan);
  if (broken !== null) return broken;
  await real.stop();
  return doubled(real.log, steps, plan) ?? leftover(real.log, steps, plan);
}

/** How long the next step waits, in turns of promises: drawn from the step itself, so that it stays when others are left out. */
function pause(step: Step, seed: number): number {
  let hash = seed;
  for (const letter of JSON.stringify(step)) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0;
  return Math.abs(hash) % 40;
}

/** Whoever is below a supervisor that runs is up, or was to stay away. */
async function unsettled(real: RealTree, plan: Plan, steps: readonly Step[]): Promise<string | null> {
  const plans = plansByPath(plan, steps);
  const terminated = new Set(
    steps.flatMap((step) => (step.do === 'terminate' || step.do === 'hold' ? [step.at] : [])),
  );
  for (const { path, life } of await real.listing()) {
    if (life === 'restarting') return `${path} still waits for its restart`;
    const isPermanent = plans.get(path)?.every((each) => each.restart === 'permanent') === true;
    if (life === 'down' && isPermanent && !terminated.has(path))
      return `${path} is permanent, and stays away`;
  }
  return null;
}

/** No two incarnations at a time, and none that ends twice. */
function doubled(log: readonly string[], steps: readonly Step[], plan: Plan): string | null {
  for (const [path, life] of lives(log, plan, steps))
    if (!/^(!|\+-)*\+?$/.test(life)) return `${path} came and went as ${life}`;
  return null;
}

function leftover(log: readonly string[], steps: readonly Step[], plan: Plan): string | null {
  for (const [path, life] of lives(log, plan, steps))
    if (life.endsWith('+')) return `${path} was left behind: ${life}`;
  return null;
}

/** `+-+` by path, of those who say when they go. */
function lives(log: readonly string[], plan: Plan, steps: readonly Step[]): ReadonlyMap<string, string> {
  const plans = plansByPath(plan, steps);
  const found = new Map<string, string>();
  for (const line of log) {
    const path = line.slice(1);
    if (plans.get(path)?.some((each) => each.brutal) !== false) continue;
    found.set(path, (found.get(path) ?? '') + line.charAt(0));
  }
  return found;
}

/** All plans that a path had: another one may be added where one was deleted. */
function plansByPath(plan: Plan, steps: readonly Step[]): ReadonlyMap<string, readonly Plan[]> {
  const found = new Map<string, Plan[]>();
  const note = (each: Plan, path: string): void => {
    found.set(path, [...(found.get(path) ?? []), each]);
    for (const child of each.supervisor?.children ?? []) note(child, `${path}/${child.id}`);
  };
  note(plan, plan.id);
  for (const step of steps)
    if (step.do === 'start' || step.do === 'replace') note(step.plan, `${step.at}/${step.plan.id}`);
  return found;
}
