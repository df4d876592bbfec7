import { describe, expect, it } from 'vitest';
import type {
  IdempotencyClaim,
  IdempotencyRecords,
  Transaction,
} from '../../../src/actors/storage/engine.ts';
import { isPublicError, MagError } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import { all, column, compare, insert, type Subject, select } from './subject.ts';

const failed = (error: unknown): string => (isPublicError(error) ? error.code : String(error));

/** Several queries in one transaction, and the records of idempotency keys in it. */
export function transactions(subject: () => Subject): void {
  function transact<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    const { engine, context } = subject().under;
    if (engine.transaction === undefined) throw new Error('no transactions');
    return engine.transaction(work, context());
  }
  const names = (): Promise<unknown[]> => subject().pluck('name', {});

  describe('a transaction', () => {
    it('lets each query see what those before it wrote, and nobody else until it is done', async () => {
      const outside: unknown[] = [];
      const inside = await transact(async (transaction) => {
        await transaction.execute(insert([{ id: 1, name: 'a' }]));
        outside.push(...(await names()));
        return transaction.execute(select({ where: compare('name', 'eq', 'a') }));
      });
      expect([outside, inside.rowCount, await names()]).toEqual([[], 1, ['a']]);
    });

    it('gives back what its work gives, and undoes everything where that rejects', async () => {
      expect(await transact(async () => 7)).toBe(7);
      const why = new MagError('MAG_EXPECTATION_FAILED', { expected: 1, found: 2 });
      const undone = transact(async (transaction) => {
        await transaction.execute(insert([{ id: 1, name: 'a' }]));
        await transaction.execute(
          insert([
            { id: 2, name: 'b' },
            { id: 3, name: 'c' },
          ]),
        );
        throw why;
      });
      await expect(undone).rejects.toBe(why);
      expect(await names()).toEqual([]);
    });

    it('is undone by a query that fails, and by one whose failure its work swallows', async () => {
      await subject().execute(insert([{ id: 9, name: 'taken' }]));
      const twice = (swallow: boolean): Promise<void> =>
        transact(async (transaction) => {
          await transaction.execute(insert([{ id: 1, name: 'a' }]));
          const second = transaction.execute(insert([{ id: 2, name: 'taken' }]));
          await (swallow ? second.catch(() => {}) : second);
          if (swallow) throw new Error('it rejects all the same');
        });
      expect(await twice(false).catch(failed)).toBe('23505');
      expect(await twice(true).catch(failed)).toContain('all the same');
      expect(await names()).toEqual(['taken']);
    });

    it('undoes of a bulk insert all or nothing, inside of it too', async () => {
      await subject().execute(insert([{ id: 9, name: 'taken' }]));
      const code = await transact(async (transaction) => {
        await transaction.execute(insert([{ name: 'x' }, { name: 'taken' }]));
      }).catch(failed);
      expect([code, await names()]).toEqual(['23505', ['taken']]);
    });

    it('writes what its grant’s check holds for, and is undone by a row for which it does not', async () => {
      const checked = (name: string): Promise<unknown> =>
        transact((transaction) =>
          transaction.execute(insert([{ name }], { check: compare('name', 'eq', 'mine'), returning: all })),
        );
      expect(await checked('theirs').catch(failed)).toBe('MAG_FORBIDDEN');
      await checked('mine');
      expect(await names()).toEqual(['mine']);
    });

    it('ends at its deadline and leaves nothing', async () => {
      const { engine, context } = subject().under;
      const late = engine.transaction?.(
        async (transaction) => {
          await transaction.execute(insert([{ id: 1, name: 'a' }]));
          for (;;) await transaction.execute(select());
        },
        context({ ms: 300 }),
      );
      expect(await late?.catch(failed)).toBe('57014');
      expect(await names()).toEqual([]);
    });

    it('is undone at its end where it is to be rolled back, and so is a query alone', async () => {
      const { engine, context } = subject().under;
      const dry = { ...context(), rollback: true };
      const one = await engine.execute(insert([{ id: 1, name: 'a' }], { returning: [column('name')] }), dry);
      const several = await engine.transaction?.(async (transaction) => {
        await transaction.execute(insert([{ id: 2, name: 'b' }]));
        return transaction.execute(select());
      }, dry);
      expect([one.json, several?.rowCount, await names()]).toEqual(['[{"name":"a"}]', 1, []]);
    });

    it('runs again where it and another one wait for each other', async () => {
      await subject().execute(
        insert([
          { id: 1, name: 'a', qty: 0 },
          { id: 2, name: 'b', qty: 0 },
        ]),
      );
      const both = (first: string, second: string): Promise<unknown> =>
        transact(async (transaction) => {
          for (const id of [first, second]) {
            const where = compare('id', 'eq', id);
            await transaction.execute({
              kind: 'update',
              schema: 'public',
              table: 'items',
              set: { note: first },
              where,
            });
            // Long enough for the other one to take its first row.
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        });
      await Promise.all([both('1', '2'), both('2', '1')]);
      const notes = await subject().pluck('note', {});
      expect(new Set(notes).size).toBe(1);
    });

    it('waits for another one that writes the same row, and sees what that left', async () => {
      await subject().execute(insert([{ id: 1, name: 'a', qty: 0 }]));
      const add = async (): Promise<void> => {
        await transact(async (transaction) => {
          const update = {
            kind: 'update',
            schema: 'public',
            table: 'items',
            where: compare('id', 'eq', '1'),
          } as const;
          // Takes the row before it is read.
          await transaction.execute({ ...update, set: { note: 'mine' } });
          const [row] = JSON.parse((await transaction.execute(select())).json);
          await transaction.execute({ ...update, set: { qty: row.qty + 1 } });
        });
      };
      await Promise.all([1, 2, 3, 4, 5].map(add));
      expect(await subject().pluck('qty', {})).toEqual([5]);
    });
  });

  describe('an idempotency record', () => {
    const claim = (key: string, over: Partial<IdempotencyClaim> = {}): IdempotencyClaim => ({
      ...{ key, fingerprint: 'f', now: 1_000, expires: 2_000 },
      ...over,
    });
    const records = <Result>(
      work: (records: IdempotencyRecords, transaction: Transaction) => Promise<Result>,
    ) =>
      transact((transaction) => {
        if (transaction.idempotency === undefined) throw new Error('no records');
        return work(transaction.idempotency, transaction);
      });
    const write = (of: IdempotencyClaim, result: string, name: string): Promise<unknown> =>
      records(async (idempotency, transaction) => {
        const known = await idempotency.claim(of);
        if (known !== null) return known;
        await transaction.execute(insert([{ name }]));
        await idempotency.settle(of.key, result);
        return null;
      });

    it('is there with the write, for every session', async () => {
      expect(await write(claim('there'), 'é"\\', 'a')).toBeNull();
      expect(await write(claim('there'), 'other', 'b')).toEqual({ fingerprint: 'f', result: 'é"\\' });
      const other = await subject().under.another();
      const seen = await other.transaction?.(
        (transaction) => transaction.idempotency?.claim(claim('there')) ?? Promise.resolve(null),
        subject().under.context(),
      );
      expect([seen, await names()]).toEqual([{ fingerprint: 'f', result: 'é"\\' }, ['a']]);
    });

    it('goes with a write that is undone', async () => {
      const undone = records(async (idempotency, transaction) => {
        await idempotency.claim(claim('undone'));
        await transaction.execute(insert([{ name: 'a' }]));
        throw new Error('undone');
      });
      await expect(undone).rejects.toThrow('undone');
      expect([await write(claim('undone'), 'r', 'b'), await names()]).toEqual([null, ['b']]);
    });

    it('is none once it has expired', async () => {
      await write(claim('old'), 'r', 'a');
      expect(await write(claim('old', { now: 1_999 }), 'r', 'b')).toMatchObject({ result: 'r' });
      const renewed = claim('old', { now: 2_000, expires: 9_000, fingerprint: 'g' });
      expect(await write(renewed, 's', 'c')).toBeNull();
      expect(await write(claim('old', { now: 8_999 }), 's', 'd')).toEqual({ fingerprint: 'g', result: 's' });
      expect(await names()).toEqual(['a', 'c']);
    });

    it('that is claimed by a transaction under way is given to nobody else', async () => {
      const order: string[] = [];
      let release = (): void => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const first = records(async (idempotency) => {
        await idempotency.claim(claim('held'));
        order.push('claimed');
        await released;
        await idempotency.settle('held', 'first');
      });
      await expect.poll(() => order).toEqual(['claimed']);
      // It waits, or is told to come again.
      const second = records(async (idempotency) => idempotency.claim(claim('held'))).catch(failed);
      const early = await Promise.race([second, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]);
      expect(['waits', 'MAG_IDEMPOTENCY_RUNNING']).toContain(early);
      release();
      await first;
      // On a busy machine an engine that would have told it so may take longer than that.
      const late = await second;
      if (late !== 'MAG_IDEMPOTENCY_RUNNING') expect(late).toMatchObject({ result: 'first' });
      expect(await records((idempotency) => idempotency.claim(claim('held')))).toMatchObject({
        result: 'first',
      });
    });

    it('that has expired goes a few at a time, with those that come', async () => {
      const far = { now: 1_000_000, expires: 2_000_000 };
      const sweep = LIMITS.idempotencySweep;
      await records(async (idempotency) => {
        for (let n = 0; n < sweep + 1; n += 1)
          await idempotency.claim(claim(`swept-${n}`, { now: 0, expires: 5 }));
      });
      await write(claim('sweeps', far), 'r', 'a');
      // Of those that had expired one is left at most; had it been kept, an earlier clock would still see it.
      const known = await records(async (idempotency) => {
        const found: unknown[] = [];
        for (let n = 0; n < sweep + 1; n += 1)
          found.push(await idempotency.claim(claim(`swept-${n}`, { now: 0, expires: 5 })));
        return found.filter((record) => record !== null).length;
      });
      expect(known).toBeLessThanOrEqual(1);
    });

    it('is out of the project’s sight', async () => {
      await write(claim('hidden'), 'r', 'a');
      const { tables } = await subject().under.engine.schema(subject().under.context());
      expect([...tables.keys()].filter((name) => name.includes('_mag'))).toEqual([]);
    });
  });
}
