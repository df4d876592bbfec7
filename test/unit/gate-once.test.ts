import { describe, expect, it } from 'vitest';
import { type KeyedWork, Once, type Outcome } from '../../src/actors/gate/idempotency/once.ts';
import type { Engine, ExecuteContext, IdempotencyRecords } from '../../src/actors/storage/engine.ts';
import { isPublicError, MagError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { virtualHost } from '../../src/testing/virtual-host.ts';
import { MemoryEngine } from '../support/memory-engine.ts';

const host = virtualHost(1);
const request = { key: 'k', fingerprint: 'f' };

const context = (signal?: AbortSignal): ExecuteContext => ({
  principal: { role: 'service_role', claims: {} },
  tenant: 'ref',
  deadline: host.now() + LIMITS.statementTimeoutMs,
  ...(signal === undefined ? {} : { signal }),
});

/** Work that ends when it is told to. */
function slowWork(): KeyedWork<string> & { runs: number; end(): void } {
  const ends: (() => void)[] = [];
  const work = {
    runs: 0,
    run: (): Promise<string> => {
      work.runs += 1;
      return new Promise((resolve) => ends.push(() => resolve('done')));
    },
    withoutRows: (result: string) => result,
    end: () => ends.shift()?.(),
  };
  return work;
}

/** How a run ended: its outcome, or the code of its error. */
function watch(run: Promise<Outcome<string>>): { ended: Outcome<string> | string | null } {
  const seen: { ended: Outcome<string> | string | null } = { ended: null };
  run.then(
    (outcome) => {
      seen.ended = outcome;
    },
    (error: unknown) => {
      seen.ended = isPublicError(error) ? error.code : String(error);
    },
  );
  return seen;
}

/** An engine on which somebody else holds the key for so many claims. */
function heldElsewhere(claims: number): Engine & { asked: number } {
  const idempotency: IdempotencyRecords = {
    claim: async () => {
      engine.asked += 1;
      if (engine.asked <= claims) throw new MagError('MAG_IDEMPOTENCY_RUNNING');
      return { fingerprint: 'f', result: JSON.stringify({ result: 'theirs', omitted: false }) };
    },
    settle: async () => {},
  };
  const engine = Object.assign(new MemoryEngine(), {
    asked: 0,
    transaction: async <Result>(
      work: (transaction: { execute: never; idempotency: IdempotencyRecords }) => Promise<Result>,
    ): Promise<Result> => work({ execute: undefined as never, idempotency }),
  });
  return engine;
}

describe('requests under one idempotency key', () => {
  it('wait for the first, which runs alone', async () => {
    const once = new Once(host);
    const engine = new MemoryEngine();
    const work = slowWork();
    const runs = [1, 2, 3].map(() => watch(once.run(engine, context(), request, work)));
    await host.runUntilIdle();
    expect([work.runs, runs.map(({ ended }) => ended)]).toEqual([1, [null, null, null]]);
    work.end();
    await host.runUntilIdle();
    const done = { result: 'done', omitted: false };
    expect(runs.map(({ ended }) => ended)).toEqual([
      { ...done, replayed: false },
      { ...done, replayed: true },
      { ...done, replayed: true },
    ]);
    expect(work.runs).toBe(1);
  });

  it('run one after the other where those before them fail', async () => {
    const once = new Once(host);
    let runs = 0;
    const failing: KeyedWork<string> = {
      run: async () => {
        runs += 1;
        throw new MagError('MAG_EXPECTATION_FAILED', { expected: 1, found: 0 });
      },
      withoutRows: (result) => result,
    };
    const engine = new MemoryEngine();
    const seen = [1, 2].map(() => watch(once.run(engine, context(), request, failing)));
    await host.runUntilIdle();
    expect([runs, seen.map(({ ended }) => ended), engine.records.size]).toEqual([
      ...[2, ['MAG_EXPECTATION_FAILED', 'MAG_EXPECTATION_FAILED'], 0],
    ]);
  });

  it('wait no longer than their bound', async () => {
    const once = new Once(host);
    const engine = new MemoryEngine();
    const work = slowWork();
    watch(once.run(engine, context(), request, work));
    const second = watch(once.run(engine, context(), request, work));
    await host.advance(LIMITS.idempotencyWaitMs - 1);
    expect(second.ended).toBeNull();
    await host.advance(1);
    expect(second.ended).toBe('MAG_IDEMPOTENCY_RUNNING');
    work.end();
    await host.runUntilIdle();
  });

  it('are told at once where too many wait', async () => {
    const once = new Once(host);
    const engine = new MemoryEngine();
    const work = slowWork();
    const waiting = Array.from({ length: LIMITS.idempotencyWaiters + 1 }, () =>
      watch(once.run(engine, context(), request, work)),
    );
    await host.runUntilIdle();
    const next = watch(once.run(engine, context(), request, work));
    await host.runUntilIdle();
    expect([next.ended, waiting.filter(({ ended }) => ended !== null)]).toEqual([
      'MAG_IDEMPOTENCY_RUNNING',
      [],
    ]);
    work.end();
    await host.runUntilIdle();
    expect(waiting.filter(({ ended }) => ended === null)).toEqual([]);
  });

  it('stop waiting when their client goes away', async () => {
    const once = new Once(host);
    const engine = new MemoryEngine();
    const work = slowWork();
    const leave = new AbortController();
    watch(once.run(engine, context(), request, work));
    const second = watch(once.run(engine, context(leave.signal), request, work));
    await host.runUntilIdle();
    leave.abort();
    await host.runUntilIdle();
    expect(second.ended).toBe('57014');
    work.end();
    await host.runUntilIdle();
  });

  it('look again while another worker holds it, and give what that one left', async () => {
    const once = new Once(host);
    const engine = heldElsewhere(3);
    const run = watch(once.run(engine, context(), request, slowWork()));
    await host.advance(LIMITS.idempotencyPollMs * 3);
    expect(run.ended).toEqual({ result: 'theirs', omitted: false, replayed: true });
    expect(engine.asked).toBe(4);
  });

  it('give up where another worker holds it for too long', async () => {
    const once = new Once(host);
    const run = watch(once.run(heldElsewhere(Number.POSITIVE_INFINITY), context(), request, slowWork()));
    await host.advance(LIMITS.idempotencyWaitMs);
    expect(run.ended).toBe('MAG_IDEMPOTENCY_RUNNING');
  });
});
