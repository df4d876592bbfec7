import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisEngine } from '../../src/actors/storage/redis/engine.ts';
import type { Filter, Row } from '../../src/protocol/query.ts';
import { compare, insert, select, within } from '../contract/engine/subject.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

const REF = 'together';

describe.skipIf(!service('redis').available)(
  'sessions that write the same documents of Redis at once',
  () => {
    let redis: ManagedRedis;
    let sessions: readonly RedisEngine[];
    beforeAll(async () => {
      redis = await managedRedis();
      sessions = await Promise.all([redis.engine(REF), redis.engine(REF), redis.engine(REF)]);
    });
    afterAll(() => redis.stop());

    const context = () => redis.context(REF, 20_000);
    const session = (at: number): RedisEngine => {
      const found = sessions[at % sessions.length];
      if (found === undefined) throw new Error('no session');
      return found;
    };
    const rows = async (table: string, where?: Filter): Promise<Row[]> => {
      const query = select({ table, limit: 100_000, ...(where === undefined ? {} : { where }) });
      return JSON.parse((await session(0).execute(query, context())).json);
    };

    it('move amounts from one to another and lose none', async () => {
      const table = 'accounts';
      const accounts = [1, 2, 3, 4].map((id) => ({ id, balance: 100 }));
      await session(0).execute(insert(accounts, { table }), context());
      const transfer = (at: number): Promise<void> | undefined =>
        session(at).transaction?.(async (transaction) => {
          const [from, to] = [String(1 + (at % 4)), String(1 + ((at * 7 + 1) % 4))];
          const both = await transaction.execute(select({ table, where: within('id', [from, to]) }));
          for (const { id, balance } of JSON.parse(both.json) as { id: number; balance: number }[]) {
            if (from === to) continue;
            const set = { balance: balance + (String(id) === from ? -1 : 1) };
            const where = compare('id', 'eq', String(id));
            await transaction.execute({ kind: 'update', schema: 'public', table, set, where });
          }
        }, context());
      await Promise.all(Array.from({ length: 60 }, (_, at) => transfer(at)));
      const sum = (await rows(table)).reduce((all, { balance }) => all + Number(balance), 0);
      expect(sum).toBe(400);
    });

    it('and build an index meanwhile: it finds what a look at every document finds', async () => {
      const table = 'built';
      const owners = ['a', 'b', 7, true, null];
      await session(0).execute(
        insert(
          Array.from({ length: 3_000 }, (_, id) => ({ id, owner: owners[id % 5] ?? null })),
          { table },
        ),
        context(),
      );
      let going = true;
      const writer = async (at: number): Promise<void> => {
        for (let n = 0; going; n += 1) {
          const where = compare('id', 'eq', String((n * 37 + at * 11) % 3_000));
          const base = { schema: 'public', table } as const;
          const engine = session(at);
          if (n % 3 === 0) await engine.execute({ ...base, kind: 'delete', where }, context());
          else if (n % 3 === 1)
            await engine.execute(
              { ...base, kind: 'update', set: { owner: owners[n % 5] ?? null }, where },
              context(),
            );
          else await engine.execute(insert([{ owner: owners[(n + at) % 5] ?? null }], { table }), context());
        }
      };
      const writers = [0, 1, 2].map(writer);
      await session(1).native?.(['MAG.INDEX', 'CREATE', table, 'owner'], context());
      going = false;
      await Promise.all(writers);
      for (const value of ['a', 'b', '7', 'true']) {
        const found = await rows(table, compare('owner', 'eq', value));
        // A negation twice over is the same to a reader, and no lookup.
        const seen = await rows(table, {
          kind: 'and',
          negated: true,
          terms: [compare('owner', 'eq', value, true)],
        });
        expect(found).toEqual(seen);
        expect(found.length).toBeGreaterThan(0);
      }
    });

    it('give one value of a unique field to one document', async () => {
      const table = 'names';
      await session(0).native?.(['MAG.INDEX', 'CREATE', table, 'name', 'UNIQUE'], context());
      const outcomes = await Promise.allSettled(
        Array.from({ length: 40 }, (_, at) =>
          session(at).execute(insert([{ name: `n${at % 10}` }], { table }), context()),
        ),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      expect((await rows(table)).map(({ name }) => name).toSorted()).toEqual(
        Array.from({ length: 10 }, (_, at) => `n${at}`),
      );
    });
  },
);
