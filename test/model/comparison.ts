import { minimize } from './minimize.ts';
import type { Plan } from './plan.ts';
import { RealTree } from './real-tree.ts';
import type { Asked, Scenario, Step } from './steps.ts';
import { type Cause, FAULT, Model, type Outcome } from './supervision.ts';

/** Like `compare`, but what it throws tells of the smallest scenario near the given one in which they part. */
export async function compareClosely(scenario: Scenario, seed: number): Promise<void> {
  const parts = async (candidate: Scenario): Promise<Error | null> => {
    try {
      await compare(candidate, seed);
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };
  if ((await parts(scenario)) === null) return;
  const smallest = await minimize(scenario, async (candidate) => (await parts(candidate)) !== null);
  throw (
    (await parts(smallest)) ?? new Error('The runtime differs from the model, but not each time it is asked')
  );
}

/** Runs a scenario on the runtime and on the model; throws a readable report where they part. */
export async function compare(scenario: Scenario, seed: number): Promise<void> {
  const model = new Model(scenario.plan);
  const real = new RealTree(scenario.plan, seed);
  const free = dynamicPaths(scenario);
  const told = { model: 0, real: 0 };
  const part = (at: number, what: string, expected: unknown, got: unknown): never => {
    throw new Error(
      [
        `After step ${at} the runtime and the model differ in ${what}.`,
        `model:   ${printed(expected)}`,
        `runtime: ${printed(got)}`,
        describeScenario(scenario, at),
      ].join('\n'),
    );
  };
  const check = async (at: number, expected: Outcome, got: Outcome): Promise<void> => {
    const said = { model: model.log.slice(told.model), real: real.log.slice(told.real) };
    told.model = model.log.length;
    told.real = real.log.length;
    if (!sameOrder(free, said.model, said.real)) part(at, 'what came and went', said.model, said.real);
    const outcomes: [string, unknown, unknown][] = [
      ['the answer', expected, got],
      ['who gave up', model.escalated, real.escalated],
      ["the root's fate", model.fate, real.fate],
      ['the chain of causes', gaveUp(model.failure), real.chain()],
      ['the children', model.listing(), await real.listing()],
    ];
    for (const [what, one, other] of outcomes)
      if (printed(one) !== printed(other)) part(at, what, one, other);
  };
  await check(0, model.start(), await real.start());
  for (const [index, step] of scenario.steps.entries()) {
    if (model.fate !== 'up') break;
    const gaveUpBefore = model.escalated.length;
    const expected = follow(model, step);
    const got = await real.apply(step);
    // It was replaced, and went down with its group after that: the runtime may have answered in between.
    const isEither = step.do === 'replace' && model.escalated.length > gaveUpBefore;
    await check(index + 1, isEither ? got : expected, got);
  }
  model.stop();
  await real.stop();
  await check(scenario.steps.length + 1, 'ok', 'ok');
}

function follow(model: Model, step: Step): Outcome {
  if (step.do === 'wait') model.advance(step.ms);
  else if (step.do === 'break') model.breakStarts(step.at, step.times);
  else if (step.do === 'start') return model.startChild(step.at, step.plan);
  else if (step.do === 'replace') return model.replaceChild(step.at, step.plan);
  else if (step.do === 'crash') model.end(step.at, { kind: 'error', cause: FAULT });
  else if (step.do === 'stop') model.end(step.at, { kind: 'shutdown' });
  // A supervisor does not finish by itself.
  else if (step.do === 'finish') {
    if (model.find(step.at)?.plan.supervisor === null) model.end(step.at, { kind: 'normal' });
  } else return asked(model, step.do, step.at);
  return 'ok';
}

function asked(model: Model, what: Asked, path: string): Outcome {
  const cut = path.lastIndexOf('/');
  const above = path.slice(0, cut);
  const id = path.slice(cut + 1);
  if (what === 'terminate') return model.terminateChild(above, id);
  if (what === 'hold') return model.hold(above, id);
  if (what === 'restart') return model.restartChild(above, id);
  return what === 'delete' ? model.deleteChild(above, id) : model.replan(above, id);
}

function gaveUp(cause: Cause | null): readonly string[] {
  if (cause === null) return [];
  return [...(cause.gaveUp === null ? [] : [cause.gaveUp]), ...gaveUp(cause.because)];
}

/**
 * Without the lives below a dynamic supervisor that begin and end in the same step: when one of its first children does
 * not start, the others, which start at the same time, may or may not have come up, or failed too, before they are
 * stopped. Of who is killed and says nothing no order is asked.
 */
function lasting(free: readonly string[], lines: readonly string[]): readonly string[] {
  const kept: (string | null)[] = [];
  const begun = new Map<string, number>();
  const isBelow = (path: string): boolean => free.some((above) => path.startsWith(`${above}/`));
  for (const line of lines) {
    const path = line.slice(1);
    const isEnd = line.startsWith('-') || line.startsWith('~');
    const start = isEnd ? begun.get(path) : undefined;
    begun.delete(path);
    if (start !== undefined) kept[start] = null;
    else if (!line.startsWith('~') && !(line.startsWith('!') && isBelow(path))) kept.push(line);
    if (line.startsWith('+') && isBelow(path)) begun.set(path, kept.length - 1);
  }
  return kept.filter((line) => line !== null);
}

/**
 * Whether both logs have the same lines in the same order, but for lines of different children of a dynamic
 * supervisor: these start and stop independently of each other.
 */
export function sameOrder(
  free: readonly string[],
  expected: readonly string[],
  got: readonly string[],
): boolean {
  const numbered = number(lasting(free, expected));
  const others = number(lasting(free, got));
  if (numbered.length !== others.length) return false;
  const places = new Map(others.map((line, place) => [line, place]));
  return numbered.every((line, index) => {
    const place = places.get(line);
    if (place === undefined) return false;
    return numbered
      .slice(0, index)
      .every((earlier) => isFree(free, earlier, line) || (places.get(earlier) ?? place) < place);
  });
}

/** Tells equal lines apart: the second `+a` is `+a 2`. */
function number(lines: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return lines.map((line) => {
    const count = (seen.get(line) ?? 0) + 1;
    seen.set(line, count);
    return `${line} ${count}`;
  });
}

function isFree(dynamic: readonly string[], one: string, other: string): boolean {
  return dynamic.some((path) => {
    const below = [one, other].map((line) => {
      const from = line.slice(1, line.lastIndexOf(' '));
      return from.startsWith(`${path}/`) ? from.slice(path.length + 1).split('/')[0] : undefined;
    });
    return below[0] !== undefined && below[1] !== undefined && below[0] !== below[1];
  });
}

/** Of the tree, and of what is added to it. */
function dynamicPaths({ plan, steps }: Scenario): readonly string[] {
  const within = (each: Plan, path: string): readonly string[] => [
    ...(each.supervisor?.strategy === 'dynamic' ? [path] : []),
    ...(each.supervisor?.children ?? []).flatMap((child) => within(child, `${path}/${child.id}`)),
  ];
  const added = steps.flatMap((step) =>
    step.do === 'start' || step.do === 'replace' ? within(step.plan, `${step.at}/${step.plan.id}`) : [],
  );
  return [...within(plan, plan.id), ...added];
}

const printed = (value: unknown): string =>
  Array.isArray(value) ? value.map(printedOne).join(' ') : String(value);
const printedOne = (value: unknown): string =>
  typeof value === 'object' && value !== null ? Object.values(value).join(':') : String(value);

/** The tree, indented, and the steps up to the one that matters, one a line. */
export function describeScenario({ plan, steps }: Scenario, last = steps.length): string {
  const lines = steps
    .slice(0, last)
    .map(
      (step, index) =>
        `  ${index + 1} ${step.do} ` +
        (step.do === 'wait'
          ? `${step.ms} ms`
          : step.do === 'start' || step.do === 'replace'
            ? `below ${step.at}:\n${describePlan(step.plan, '      ')}`
            : `${step.at}${step.do === 'break' ? ` ×${step.times}` : ''}`),
    );
  return [`tree`, describePlan(plan, '  '), 'steps', ...lines].join('\n');
}

function describePlan(plan: Plan, indent: string): string {
  const { supervisor } = plan;
  const words = [
    plan.id,
    plan.restart,
    ...(plan.significant ? ['significant'] : []),
    ...(plan.delay > 0 ? [`after ${plan.delay} ms`] : []),
    ...(plan.brutal ? ['brutal'] : []),
    ...(supervisor === null ? [] : [`· ${supervisor.strategy} ${supervisor.max} in ${supervisor.within} ms`]),
    ...(supervisor === null || supervisor.autoShutdown === 'never'
      ? []
      : [`ends with ${supervisor.autoShutdown}`]),
  ];
  const below = (supervisor?.children ?? []).map((child) => describePlan(child, `${indent}  `));
  return [indent + words.join(' '), ...below].join('\n');
}
