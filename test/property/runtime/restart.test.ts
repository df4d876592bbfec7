import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChildSpec, type RestartType, supervisor } from '../../../src/index.ts';
import { nextDelay } from '../../../src/machines/backoff.ts';
import { decide, RestartWindow, shutsDown } from '../../../src/machines/restart.ts';
import { bench, find, probe } from '../../support/runtime/probe.ts';

const RULES: readonly RestartType[] = ['permanent', 'transient', 'temporary'];
const rule = fc.constantFrom(...RULES);
const strategy = fc.constantFrom('one_for_one' as const, 'rest_for_one' as const, 'one_for_all' as const);
const intensity = fc.record({ max: fc.nat(4), within: fc.integer({ min: 1, max: 50 }) });
const crashes = fc.array(fc.record({ child: fc.nat(4), after: fc.nat(30) }), { maxLength: 25 });
const rules = fc.array(rule, { minLength: 1, maxLength: 5 });

/** What a supervisor must do, as simply as it can be said: no states, no effects, a list of times. */
class Model {
  readonly starts: Map<string, number>;
  failed = false;
  readonly #order: string[];
  readonly #rules: Map<string, RestartType>;
  readonly #times: number[] = [];
  readonly #how: { strategy: string; max: number; within: number };

  constructor(ids: readonly string[], rules: readonly RestartType[], how: Model['modelOptions']) {
    this.#order = [...ids];
    this.#rules = new Map(ids.map((id, index) => [id, rules[index] ?? 'permanent']));
    this.starts = new Map(ids.map((id) => [id, 1]));
    this.#how = how;
  }

  declare readonly modelOptions: { strategy: string; max: number; within: number };

  alive(id: string): boolean {
    return !this.failed && this.#order.includes(id);
  }

  crash(id: string, now: number): void {
    if (!this.alive(id)) return;
    if (this.#rules.get(id) === 'temporary') {
      this.#order.splice(this.#order.indexOf(id), 1);
      return;
    }
    this.#times.push(now);
    if (this.#times.filter((time) => now - time <= this.#how.within).length > this.#how.max) {
      this.failed = true;
      return;
    }
    const at = this.#order.indexOf(id);
    const from = this.#how.strategy === 'one_for_all' ? 0 : at;
    const group = this.#how.strategy === 'one_for_one' ? [id] : this.#order.slice(from);
    for (const member of group) {
      if (member !== id && this.#rules.get(member) === 'temporary')
        this.#order.splice(this.#order.indexOf(member), 1);
      else this.starts.set(member, (this.starts.get(member) ?? 0) + 1);
    }
  }

  get order(): readonly string[] {
    return this.#order;
  }
}

describe('a supervisor', () => {
  it('does what the reference model does, for any crashes at any times', async () => {
    await fc.assert(
      fc.asyncProperty(strategy, intensity, rules, crashes, async (how, budget, childRules, sequence) => {
        const b = bench();
        const log: string[] = [];
        const ids = childRules.map((_, index) => `c${index}`);
        const children = ids.map((id, index) =>
          probe(id, log, { restart: childRules[index] ?? 'permanent' }),
        );
        const model = new Model(ids, childRules, { strategy: how, ...budget });
        await b.start(supervisor('board', { strategy: how, intensity: budget, children }));
        for (const { child, after } of sequence) {
          await b.host.advance(after);
          b.system.slot(`board/c${child}`).send({ type: 'BOOM' });
          model.crash(`c${child}`, b.host.now());
          await b.host.runUntilIdle();
          expect(b.rootFailures.length > 0).toBe(model.failed);
          if (model.failed) break;
          expect((await b.system.tree()).children.map((node) => node.name)).toEqual(model.order);
        }
        for (const id of ids)
          expect(log.filter((entry) => entry === `+${id}`)).toHaveLength(model.starts.get(id) ?? 0);
        if (model.failed)
          expect(log.filter((e) => e[0] === '+')).toHaveLength(log.filter((e) => e[0] === '-').length);
      }),
      { numRuns: 300 },
    );
  });

  it('never has two incarnations of a child, and settles, under backoff and crashes at any moment', async () => {
    const backoff = { base: 10, cap: 80, resetAfter: 200 };
    await fc.assert(
      fc.asyncProperty(strategy, fc.nat(), crashes, async (how, seed, sequence) => {
        const b = bench(seed);
        const log: string[] = [];
        const children: ChildSpec[] = ['c0', 'c1', 'c2', 'c3', 'c4'].map((id) => probe(id, log, { backoff }));
        await b.start(supervisor('board', { strategy: how, intensity: { max: 1_000, within: 1 }, children }));
        for (const { child, after } of sequence) {
          // No settling in between: crashes meet restarts at every stage.
          b.system.lookup(`board/c${child}`)?.send({ type: 'BOOM' });
          await b.host.advance(after);
        }
        await b.host.advance(5_000);
        const tree = await b.system.tree();
        expect(tree.state).toBe('running');
        for (const spec of children) {
          expect(find(tree, `board/${spec.id}`).status).toBe('running');
          const life = log.filter((entry) => entry.slice(1) === spec.id).map((entry) => entry[0]);
          expect(life.join('')).toMatch(/^(\+-)*\+$/);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the restart budget', () => {
  it('as a ring equals a naive recount of the times within the window', () => {
    fc.assert(
      fc.property(intensity, fc.array(fc.nat(40), { maxLength: 40 }), (budget, gaps) => {
        const window = new RestartWindow(budget);
        const times: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          times.push(now);
          const action = decide('permanent', window, 'error', now);
          const recount = times.filter((time) => now - time <= budget.within).length;
          expect(action).toBe(recount > budget.max ? 'give_up' : 'restart');
          expect(window.size).toBe(Math.min(recount, budget.max + 1));
        }
      }),
    );
  });

  it('is burnt by what is restarted, and by nothing else', () => {
    const exit = fc.constantFrom('normal' as const, 'shutdown' as const, 'error' as const);
    fc.assert(
      fc.property(fc.array(fc.tuple(rule, exit), { maxLength: 30 }), (ends) => {
        const window = new RestartWindow({ max: 1_000, within: 1 });
        let restarts = 0;
        for (const [how, why] of ends) {
          const comesBack = how === 'permanent' || (how === 'transient' && why === 'error');
          expect(decide(how, window, why, 0)).toBe(comesBack ? 'restart' : 'forget');
          if (comesBack) restarts += 1;
          expect(window.size).toBe(restarts);
        }
      }),
    );
  });

  it('of a million remembers no more than lie within its window', () => {
    const window = new RestartWindow({ max: 1_000_000, within: 10 });
    for (let now = 0; now < 100_000; now += 1) {
      expect(window.record(now)).toBe(true);
      expect(window.size).toBeLessThanOrEqual(11);
    }
  });
});

describe('a supervisor that shuts down by itself', () => {
  it('does so after the first or the last significant child, as it is told, and never otherwise', () => {
    const mode = fc.constantFrom('never' as const, 'any_significant' as const, 'all_significant' as const);
    fc.assert(
      fc.property(mode, fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }), (how, children) => {
        // The children end one after the other, in order.
        const expected = how === 'any_significant' ? children.indexOf(true) : children.lastIndexOf(true);
        const ends = children.findIndex((significant, index) =>
          shutsDown(how, significant, children.slice(index + 1).filter(Boolean).length),
        );
        expect(ends).toBe(how === 'never' ? -1 : expected);
      }),
    );
  });
});

describe('a backoff delay', () => {
  it('lies between base and cap, and below three times the last one', () => {
    const range = fc.record({ base: fc.integer({ min: 1, max: 100 }), span: fc.nat(10_000) });
    fc.assert(
      fc.property(
        range,
        fc.nat(20_000),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        (given, last, random) => {
          const delay = nextDelay(
            { base: given.base, cap: given.base + given.span, resetAfter: 0 },
            last,
            random,
          );
          expect(delay).toBeGreaterThanOrEqual(given.base);
          expect(delay).toBeLessThanOrEqual(
            Math.min(given.base + given.span, Math.max(given.base, last * 3)),
          );
        },
      ),
    );
  });
});
