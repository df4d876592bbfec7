import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBulkhead } from '../../../src/index.ts';
import { type CountingHost, countingHost } from '../../support/counting-host.ts';

type Move =
  | { readonly kind: 'call'; readonly lane: number; readonly wait: number }
  | { readonly kind: 'finish' | 'abort'; readonly pick: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'resize'; readonly to: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      lane: fc.nat(2),
      wait: fc.integer({ min: 1, max: 90 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('finish' as const, 'abort' as const), pick: fc.nat(20) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resize' as const), to: fc.nat(5) }) },
);
interface Call {
  readonly id: number;
  readonly lane: number;
  readonly until: number;
}

/** Arrays, sorted and filtered anew at each step. */
class Model {
  concurrency = 2;
  running: number[] = [];
  waiting: Call[] = [];
  /** What became of each call, in the order in which it did. */
  readonly events: string[] = [];

  call(call: Call): void {
    if (this.running.length < this.concurrency && this.waiting.length === 0) {
      this.start(call.id);
      return;
    }
    const lowest = this.waiting.toSorted((a, b) => a.lane - b.lane).at(-1);
    if (this.waiting.length === 4) {
      const loser = lowest !== undefined && lowest.lane > call.lane ? lowest : call;
      this.events.push(`${loser.id} MAG_BULKHEAD_FULL`);
      if (loser === call) return;
      this.waiting = this.waiting.filter((other) => other !== loser);
    }
    this.waiting.push(call);
  }

  start(id: number): void {
    this.running.push(id);
    this.events.push(`${id} runs`);
  }

  serve(): void {
    while (this.running.length < this.concurrency) {
      const [next] = this.waiting.toSorted((a, b) => a.lane - b.lane);
      if (next === undefined) return;
      this.waiting = this.waiting.filter((other) => other !== next);
      this.start(next.id);
    }
  }

  expire(now: number): void {
    const late = this.waiting.filter(({ until }) => until <= now).toSorted((a, b) => a.until - b.until);
    for (const { id } of late) this.events.push(`${id} MAG_BULKHEAD_TIMEOUT`);
    this.waiting = this.waiting.filter(({ until }) => until > now);
  }
}

/** The same moves on the bulkhead, its events written down alike. */
class Real {
  readonly host: CountingHost = countingHost();
  readonly bulkhead = createBulkhead({ host: this.host, concurrency: 2, queue: 4 });
  readonly events: string[] = [];
  readonly #ends = new Map<number, () => void>();
  readonly #signals = new Map<number, AbortController>();

  call({ id, lane }: Call, waitMs: number): void {
    const controller = new AbortController();
    this.#signals.set(id, controller);
    const fn = (): Promise<void> => {
      this.events.push(`${id} runs`);
      return new Promise((resolve) => this.#ends.set(id, resolve));
    };
    this.bulkhead.run(fn, { lane, waitMs, signal: controller.signal }).catch((error: { code?: string }) => {
      this.events.push(`${id} ${error.code ?? 'aborted'}`);
    });
  }

  finish(id: number): void {
    this.#ends.get(id)?.();
  }

  abort(id: number): void {
    this.#signals.get(id)?.abort({ code: 'aborted' });
  }
}

async function step(model: Model, real: Real, one: Move, id: number): Promise<void> {
  if (one.kind === 'call') {
    const call = { id, lane: one.lane, until: real.host.now() + one.wait };
    model.call(call);
    real.call(call, one.wait);
  } else if (one.kind === 'resize') {
    model.concurrency = one.to;
    model.serve();
    real.bulkhead.setConcurrency(one.to);
  } else if (one.kind === 'advance') {
    await real.host.advance(one.ms);
    model.expire(real.host.now());
  } else if (one.kind === 'finish') {
    const [done] = model.running.splice(one.pick % Math.max(1, model.running.length), 1);
    if (done !== undefined) real.finish(done);
    model.serve();
  } else {
    const [gone] = model.waiting.splice(one.pick % Math.max(1, model.waiting.length), 1);
    if (gone === undefined) return;
    model.events.push(`${gone.id} aborted`);
    real.abort(gone.id);
  }
  await real.host.runUntilIdle();
}

describe('a bulkhead', () => {
  it('runs, queues, displaces, times out and cancels what a naive model does, and leaks no place and no timer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 60, size: 'max' }), async (moves) => {
        const model = new Model();
        const real = new Real();
        let id = 0;
        for (const one of moves) {
          await step(model, real, one, id);
          id += 1;
          // What happens in one step happens in one turn, where microtasks may order it differently.
          expect(real.events.toSorted()).toEqual(model.events.toSorted());
          expect(real.bulkhead.stats()).toMatchObject({
            running: model.running.length,
            waiting: model.waiting.length,
          });
          expect(real.host.pending(), 'a timer for each that waits').toBe(model.waiting.length);
        }
        for (const running of [...model.running]) real.finish(running);
        await real.host.advance(1_000);
        const left = real.bulkhead.stats();
        expect(left.waiting).toBe(0);
        expect(left.admitted + left.refused + left.timedOut + left.cancelled).toBe(
          moves.filter(({ kind }) => kind === 'call').length,
        );
      }),
      { numRuns: 200 },
    );
  });
});
