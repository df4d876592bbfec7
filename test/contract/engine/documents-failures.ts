import { describe, expect, it } from 'vitest';
import { isPublicError } from '../../../src/errors.ts';
import type { DocumentSubject } from './documents.ts';
import { column, compare } from './subject.ts';

/** Every failure has a code that a client knows and is no 500; and nothing stays behind. */
export function documentFailures(subject: () => DocumentSubject): void {
  describe('failures', () => {
    it('a second document with the same key, or with a unique value, is 23505', async () => {
      await subject().under.unique(subject().table, 'name');
      await subject().add({ id: 1, name: 'a' });
      await expect(subject().add({ id: 1 })).rejects.toMatchObject({ code: '23505', status: 409 });
      await expect(subject().add({ id: 2, name: 'a' })).rejects.toMatchObject({ code: '23505', status: 409 });
    });

    it('a key that is neither text nor a number is refused', async () => {
      for (const id of [true, [1], { a: 1 }]) {
        await expect(subject().add({ id })).rejects.toMatchObject({ status: 400 });
      }
    });

    it.each([
      ['$where', 'a filter', () => compare('$where', 'eq', '1')],
      ['a.b', 'a filter', () => compare('a.b', 'eq', '1')],
    ] as const)('a name that no field can have (%s) in %s is refused', async (_name, _where, where) => {
      await expect(subject().execute(subject().select({ where: where() }))).rejects.toMatchObject({
        status: 400,
      });
    });

    it.each([{ $set: 1 }, { 'a.b': 1 }, { nested: { $gt: 1 } }])(
      'a row %j is stored as it is, or refused',
      async (row) => {
        const stored = await subject()
          .add({ id: 1, ...row } as never)
          .catch((error: unknown) => error);
        if (Array.isArray(stored)) expect(stored).toEqual([{ id: 1, ...row }]);
        else expect(stored).toMatchObject({ status: 400 });
      },
    );

    it('names of JavaScript’s own are columns like any other', async () => {
      const row = JSON.parse('{"id": 1, "constructor": "c", "toString": "t", "hasOwnProperty": 1}');
      expect(await subject().add(row)).toEqual([row]);
      expect(await subject().ids({ where: compare('constructor', 'eq', 'c') })).toEqual([1]);
      const query = subject().select({ select: [column('valueOf')] });
      expect(await subject().rows(query)).toEqual([{ valueOf: null }]);
    });

    it('a value cannot become an operator', async () => {
      await subject().add({ id: 1, name: '{"$gt": ""}' }, { id: 2, name: 'b' });
      expect(await subject().ids({ where: compare('name', 'eq', '{"$gt": ""}') })).toEqual([1]);
      expect(await subject().ids({ where: compare('name', 'like', '%"$gt"%') })).toEqual([1]);
    });

    it('native SQL is refused by name', async () => {
      const { engine, context } = subject().under;
      await expect(engine.sql('select 1', [], context())).rejects.toMatchObject({
        code: 'MAG_ENGINE_UNSUPPORTED',
        status: 400,
      });
    });

    it('a client that went away before, or a deadline that passed, runs nothing', async () => {
      const { engine, context } = subject().under;
      const write = subject().insert([{ name: 'never' }]);
      await expect(engine.execute(write, context({ signal: AbortSignal.abort() }))).rejects.toSatisfy(
        isPublicError,
      );
      await expect(engine.execute(write, context({ ms: -1 }))).rejects.toMatchObject({ code: '57014' });
      expect(await subject().rows(subject().select())).toEqual([]);
    });

    it('concurrent writes of one document lose none', async () => {
      await subject().add({ id: 1, qty: 0 });
      const writes = Array.from({ length: 20 }, (_, index) =>
        subject().execute(subject().insert([{ id: `w${index}` }, { id: `v${index}` }])),
      );
      await Promise.all(writes);
      expect(await subject().ids()).toHaveLength(41);
    });
  });
}
