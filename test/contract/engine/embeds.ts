import { beforeAll, describe, expect, it } from 'vitest';
import { resolveEmbeds } from '../../../src/actors/storage/relationships.ts';
import { isPublicError } from '../../../src/errors.ts';
import type { Embed, Query, Row, SelectItem, SelectQuery } from '../../../src/protocol/query.ts';
import { all, and, column, compare, not, type Subject, select } from './subject.ts';

/** Tables embedded in rows: films, their directors, actors and notes. */
export const embed = (relation: string, embed: Partial<Embed> = {}): SelectItem => ({
  kind: 'embed',
  embed: { relation, inner: false, spread: false, select: all, order: [], ...embed },
});

const related = (relation: string, value: 'null' | 'not_null') =>
  ({ kind: 'related', relation, value, negated: false }) as const;

const TABLES = [
  'create table directors (id integer primary key, name text not null, born integer)',
  `create table films (id integer primary key, title text not null, year integer, ok boolean, big bigint,
   director_id integer references directors (id), producer_id integer references directors (id))`,
  'create table film_notes (film_id integer primary key references films (id), note text)',
  'create table actors (id integer primary key, name text)',
  `create table roles (film_id integer references films (id), actor_id integer references actors (id), part text,
   primary key (film_id, actor_id))`,
  `create table staff (id integer primary key, name text, boss_id integer references staff (id))`,
  `create table scenes (id integer primary key, film_id integer references films (id), place text, secs integer)`,
];

const ROWS = [
  `insert into directors values (1, 'Varda', 1928), (2, 'Lang', 1890), (3, 'Ozu', 1903)`,
  `insert into films values (1, 'Cleo', 1962, true, 9007199254740993, 1, 2), (2, 'M', 1931, false, null, 2, null),
   (3, 'Metropolis', 1927, null, 5, 2, 1), (4, 'Nobody', 2000, true, null, null, null)`,
  `insert into film_notes values (1, 'two "hours"')`,
  `insert into actors values (1, 'Marchand'), (2, 'Lorre'), (3, 'Helm')`,
  `insert into roles values (1, 1, 'Cleo'), (2, 2, 'Beckert'), (3, 3, 'Maria'), (3, 2, 'Nobody')`,
  `insert into staff values (1, 'ann', null), (2, 'bob', 1), (3, 'cid', 1), (4, 'dan', 2)`,
  `insert into scenes values (1, 1, 'Paris', 90), (2, 1, 'car', 30), (3, 2, 'Berlin', 40), (4, 3, 'city', 50)`,
];

/** @param aggregates whether the engine aggregates, too. */
export function embeds(subject: () => Subject, { aggregates }: { readonly aggregates: boolean }): void {
  describe('related tables', () => {
    beforeAll(async () => {
      for (const statement of [...TABLES, ...ROWS]) await subject().sql(statement);
    });

    /** As the gate does it: the relationships come from the schema. */
    const rows = async (query: Query): Promise<Row[]> => {
      const { engine, context } = subject().under;
      return subject().rows(resolveEmbeds(query, await engine.schema(context())));
    };
    const films = (items: readonly SelectItem[], query: Partial<SelectQuery> = {}) =>
      rows(select({ table: 'films', select: items, ...query }));
    const from = (table: string, items: readonly SelectItem[], query: Partial<SelectQuery> = {}) =>
      rows(select({ table, select: items, ...query }));
    const refusal = async (query: Promise<unknown>) => {
      const error = await query.catch((caught: unknown) => caught);
      if (!isPublicError(error)) throw error;
      return error;
    };
    const title = column('title');
    const one = compare('id', 'eq', '1');

    it('a row that it refers to is an object, and null where it refers to none', async () => {
      const directed = embed('directors', { hint: 'director_id', select: [column('name')] });
      expect(await films([title, directed])).toEqual([
        { title: 'Cleo', directors: { name: 'Varda' } },
        { title: 'M', directors: { name: 'Lang' } },
        { title: 'Metropolis', directors: { name: 'Lang' } },
        { title: 'Nobody', directors: null },
      ]);
    });

    it('rows that refer to it are an array, in their order, and empty where there are none', async () => {
      const scenes = embed('scenes', {
        select: [column('place')],
        order: [{ column: { name: 'secs' }, direction: 'asc' }],
      });
      expect(await films([column('id'), scenes])).toEqual([
        { id: 1, scenes: [{ place: 'car' }, { place: 'Paris' }] },
        { id: 2, scenes: [{ place: 'Berlin' }] },
        { id: 3, scenes: [{ place: 'city' }] },
        { id: 4, scenes: [] },
      ]);
    });

    it('every value keeps its JSON type inside', async () => {
      const [row] = await from('directors', [embed('films', { hint: 'director_id' })], { where: one });
      const json = await subject().execute(
        resolveEmbeds(
          select({ table: 'directors', select: [embed('films', { hint: 'director_id' })], where: one }),
          await subject().under.engine.schema(subject().under.context()),
        ),
      );
      expect(row?.['films']).toMatchObject([{ ok: true, title: 'Cleo', producer_id: 2 }]);
      expect(json.json.replaceAll(' ', '')).toContain('"big":9007199254740993');
    });

    it('a row that refers to it by a unique column is an object', async () => {
      expect(await films([column('id'), embed('film_notes', { select: [column('note')] })])).toEqual([
        { id: 1, film_notes: { note: 'two "hours"' } },
        ...[2, 3, 4].map((id) => ({ id, film_notes: null })),
      ]);
    });

    it('a table in between joins many with many, from both sides', async () => {
      const order = [{ column: { name: 'id' }, direction: 'asc' }] as const;
      const cast = embed('actors', { select: [column('name')], order });
      expect(await films([column('id'), cast], { where: compare('id', 'gte', '3') })).toEqual([
        { id: 3, actors: [{ name: 'Lorre' }, { name: 'Helm' }] },
        { id: 4, actors: [] },
      ]);
      const played = embed('films', { select: [title], order, alias: 'played' });
      expect(await from('actors', [played], { where: compare('id', 'eq', '2') })).toEqual([
        { played: [{ title: 'M' }, { title: 'Metropolis' }] },
      ]);
    });

    it('a table refers to itself by its column, and is referred to by its name', async () => {
      const boss = embed('boss_id', { alias: 'boss', select: [column('name')] });
      const team = embed('staff', { alias: 'team', select: [column('name')], hint: 'boss_id' });
      expect(await from('staff', [column('name'), boss, team], { where: compare('id', 'eq', '2') })).toEqual([
        { name: 'bob', boss: { name: 'ann' }, team: [{ name: 'dan' }] },
      ]);
    });

    it('is named by the key or its column, too', async () => {
      const key = embed('films_director_id_fkey', { alias: 'who', select: [column('name')] });
      const byColumn = embed('producer_id', { select: [column('name')] });
      expect(await films([key, byColumn], { where: one })).toEqual([
        { who: { name: 'Varda' }, producer_id: { name: 'Lang' } },
      ]);
    });

    it('embeds go as deep as they are asked for', async () => {
      const scenes = embed('scenes', {
        select: [column('secs')],
        order: [{ column: { name: 'id' }, direction: 'asc' }],
      });
      const made = embed('films', {
        hint: 'director_id',
        select: [title, scenes, embed('actors', { select: [column('name')] })],
        where: compare('year', 'gt', '1930'),
      });
      expect(await from('directors', [column('name'), made], { where: compare('id', 'lte', '2') })).toEqual([
        {
          name: 'Varda',
          films: [{ title: 'Cleo', scenes: [{ secs: 90 }, { secs: 30 }], actors: [{ name: 'Marchand' }] }],
        },
        { name: 'Lang', films: [{ title: 'M', scenes: [{ secs: 40 }], actors: [{ name: 'Lorre' }] }] },
      ]);
    });

    it('are counted by `count`, where the table has no column of that name', async () => {
      const counted = embed('scenes', { select: [column('count')], where: compare('secs', 'gt', '35') });
      expect(await films([column('id'), counted])).toEqual([
        { id: 1, scenes: [{ count: 1 }] },
        { id: 2, scenes: [{ count: 1 }] },
        { id: 3, scenes: [{ count: 1 }] },
        { id: 4, scenes: [{ count: 0 }] },
      ]);
    });

    it('its own filter, order, limit and offset hold inside', async () => {
      const order = [{ column: { name: 'secs' }, direction: 'desc' }] as const;
      const scenes = embed('scenes', { select: [column('secs')], order, limit: 1, offset: 1 });
      expect(await films([scenes], { where: compare('id', 'lte', '2') })).toEqual([
        { scenes: [{ secs: 30 }] },
        { scenes: [] },
      ]);
      const some = embed('scenes', {
        select: [column('secs')],
        where: compare('place', 'like', '%r%'),
        order,
      });
      expect(await films([some], { where: one })).toEqual([{ scenes: [{ secs: 90 }, { secs: 30 }] }]);
    });

    it('an inner one asks for a row within its own window, each time by the window of then', async () => {
      const within = (limit: number, offset: number | null) => {
        const window = offset === null ? { limit } : { limit, offset };
        return rows(
          select({
            table: 'films',
            select: [column('id'), embed('scenes', { inner: true, select: [], ...window })],
          }),
        );
      };
      const all = await within(1, null);
      expect(all.length).toBeGreaterThan(0);
      expect([await within(0, null), await within(2, null)]).toEqual([[], all]);
      expect(await within(1, 0)).toEqual(all);
      expect([await within(1, 1_000), await within(1, 0)]).toEqual([[], all]);
    });

    it('an inner one leaves out the rows without, and so does the count', async () => {
      const inner = embed('scenes', {
        inner: true,
        select: [column('id')],
        where: compare('secs', 'gt', '45'),
      });
      const query = select({ table: 'films', select: [column('id'), inner], count: 'exact', limit: 1 });
      const { engine, context } = subject().under;
      const result = await subject().execute(resolveEmbeds(query, await engine.schema(context())));
      expect([JSON.parse(result.json), result.total]).toEqual([[{ id: 1, scenes: [{ id: 1 }] }], 2]);
      const deep = embed('films', {
        ...{ hint: 'director_id', inner: true },
        select: [title, embed('film_notes', { inner: true, select: [] })],
      });
      expect(await from('directors', [column('id'), deep])).toEqual([{ id: 1, films: [{ title: 'Cleo' }] }]);
    });

    it('a filter asks whether there are related rows, and shows nothing of them where nothing is selected', async () => {
      const scenes = embed('scenes', { select: [], where: compare('secs', 'gt', '35') });
      const filtered = (value: 'null' | 'not_null') =>
        films([column('id'), scenes], { where: and(compare('id', 'gt', '1'), related('scenes', value)) });
      expect(await filtered('not_null')).toEqual([{ id: 2 }, { id: 3 }]);
      expect(await filtered('null')).toEqual([{ id: 4 }]);
      const negated = await films([column('id'), scenes], { where: not(related('scenes', 'null')) });
      expect(negated).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    });

    it('one that shows nothing and is asked for nothing changes nothing, whatever it filters by', async () => {
      const window = { where: compare('secs', 'gt', '999'), limit: 1 };
      const scenes = embed('scenes', { select: [], ...window });
      const where = compare('id', 'gt', '2');
      expect(await films([column('id'), scenes], { where })).toEqual([{ id: 3 }, { id: 4 }]);
      const deep = embed('films', { hint: 'director_id', select: [title, scenes] });
      expect(await from('directors', [column('id'), deep], { where: compare('id', 'eq', '1') })).toEqual([
        { id: 1, films: [{ title: 'Cleo' }] },
      ]);
    });

    it('rows sort by a column of a row that they refer to', async () => {
      const who = embed('directors', { hint: 'director_id', select: [] });
      const order = [
        { relation: 'directors', column: { name: 'name' }, direction: 'desc' },
        { column: { name: 'id' }, direction: 'desc' },
      ] as const;
      expect(await films([column('id'), who], { order: [...order] })).toEqual([
        { id: 4 },
        { id: 1 },
        { id: 3 },
        { id: 2 },
      ]);
      // By what the select calls it, too.
      const named = embed('directors', { hint: 'director_id', select: [column('born', 'name')] });
      const directed = not(compare('id', 'eq', '4'));
      expect(
        (await films([column('id'), named], { order: [...order], where: directed })).map(({ id }) => id),
      ).toEqual([1, 3, 2]);
      const scenes = embed('scenes', { select: [] });
      const many = films([title, scenes], {
        order: [{ relation: 'scenes', column: { name: 'id' }, direction: 'asc' }],
      });
      expect((await refusal(many)).code).toBe('PGRST118');
    });

    it('a spread one stands in the row itself, of many as arrays', async () => {
      const spread = embed('directors', {
        ...{ hint: 'director_id', spread: true },
        select: [column('name', 'by'), column('born')],
      });
      const order = [{ column: { name: 'id' }, direction: 'asc' }] as const;
      const places = embed('scenes', {
        spread: true,
        select: [column('place', 'places'), column('secs')],
        order,
      });
      expect(await films([title, spread, places], { where: not(compare('id', 'eq', '3')) })).toEqual([
        { title: 'Cleo', by: 'Varda', born: 1928, places: ['Paris', 'car'], secs: [90, 30] },
        { title: 'M', by: 'Lang', born: 1890, places: ['Berlin'], secs: [40] },
        { title: 'Nobody', by: null, born: null, places: [], secs: [] },
      ]);
    });

    it('a write gives back related rows, too', async () => {
      const directed = embed('directors', { hint: 'director_id', select: [column('name')] });
      const returning = [title, directed, embed('scenes', { select: [column('id')] })];
      const where = compare('id', 'eq', '2');
      const update = { kind: 'update', schema: 'public', table: 'films', where } as const;
      expect(await rows({ ...update, set: { title: 'M!' }, returning })).toEqual([
        { title: 'M!', directors: { name: 'Lang' }, scenes: [{ id: 3 }] },
      ]);
      const order = [
        { relation: 'directors', column: { name: 'name' }, direction: 'desc', nulls: 'last' },
        { column: { name: 'title' }, direction: 'desc' },
      ] as const;
      const whole = { ...update, set: { ok: true }, where: compare('id', 'gte', '1'), order };
      expect(await rows({ ...whole, returning: [title, directed] })).toEqual([
        { title: 'Cleo', directors: { name: 'Varda' } },
        { title: 'Metropolis', directors: { name: 'Lang' } },
        { title: 'M!', directors: { name: 'Lang' } },
        { title: 'Nobody', directors: null },
      ]);
      const inner = embed('directors', { hint: 'producer_id', inner: true, select: [column('name')] });
      const check = compare('title', 'eq', 'M');
      expect(await rows({ ...update, set: { title: 'M' }, check, returning: [title, inner] })).toEqual([]);
      const broken = rows({ ...update, set: { title: 'X' }, check, returning: [title, inner] });
      expect((await refusal(broken)).code).toBe('MAG_FORBIDDEN');
    });

    it('says how it may be reached where there are several ways, and that there is none where there is none', async () => {
      const several = await refusal(films([embed('directors')]));
      expect(several).toMatchObject({
        code: 'PGRST201',
        status: 300,
        hint: expect.stringContaining(
          "'directors!films_director_id_fkey', 'directors!films_producer_id_fkey'",
        ),
        details: [
          {
            cardinality: 'many-to-one',
            embedding: 'films with directors',
            relationship: 'films_director_id_fkey using films(director_id) and directors(id)',
          },
          expect.anything(),
        ],
      });
      expect(await refusal(films([embed('staff')]))).toMatchObject({
        code: 'PGRST200',
        status: 400,
        message: "Could not find a relationship between 'films' and 'staff' in the schema cache",
      });
      // What is there is not meant otherwise; what is not may be.
      const hinted = await refusal(films([embed('scenes', { hint: 'nope' })]));
      expect([hinted.code, hinted.hint]).toEqual(['PGRST200', null]);
      const like = await refusal(films([embed('scemes')]));
      expect(like.hint).toBe("Perhaps you meant 'scenes' instead of 'scemes'.");
      const nowhere = await refusal(from('filmz', [embed('scenes')]));
      expect(nowhere).toMatchObject({ code: 'PGRST205', status: 404 });
      expect(nowhere.hint).toBe("Perhaps you meant the table 'public.films'");
      expect((await refusal(films([embed('scenes', { select: [column('nope')] })]))).code).toBe('42703');
    });

    const aggregated = aggregates ? it : null;
    aggregated?.('aggregates group by the other values, in an embed as well', async () => {
      const sum: SelectItem = { kind: 'column', column: { name: 'secs' }, aggregate: { function: 'sum' } };
      const count: SelectItem = { kind: 'count', alias: 'n' };
      expect(await from('scenes', [sum, count], { order: [] })).toEqual([{ sum: 210, n: 4 }]);
      expect(await from('scenes', [count], { order: [], where: one })).toEqual([{ n: 1 }]);
      const order = [{ column: { name: 'film_id' }, direction: 'desc' }] as const;
      expect(await from('scenes', [column('film_id', 'film'), sum], { order: [...order] })).toEqual([
        { film: 3, sum: 50 },
        { film: 2, sum: 40 },
        { film: 1, sum: 120 },
      ]);
      expect(await films([title, embed('scenes', { select: [sum, count] })], { where: one })).toEqual([
        { title: 'Cleo', scenes: [{ sum: 120, n: 2 }] },
      ]);
      const filmed = embed('films', { spread: true, select: [title] });
      const perFilm = await from('scenes', [filmed, count], { order: [] });
      expect(perFilm.toSorted((a, b) => String(a['title']).localeCompare(String(b['title'])))).toEqual([
        { title: 'Cleo', n: 2 },
        { title: 'M', n: 1 },
        { title: 'Metropolis', n: 1 },
      ]);
      const named = embed('films', { spread: true, select: [column('title', 'film'), count] });
      const last = [{ relation: 'films', column: { name: 'film' }, direction: 'desc' }] as const;
      expect(await from('scenes', [named], { order: [...last] })).toEqual([
        { film: 'Metropolis', n: 1 },
        { film: 'M', n: 1 },
        { film: 'Cleo', n: 2 },
      ]);
      // Rows without a related one have none to count, however deep it is.
      const deep = embed('directors', { hint: 'producer_id', spread: true, select: [count] });
      expect(await films([deep], { order: [] })).toEqual([{ n: 2 }]);
      const deeper = embed('films', { spread: true, select: [deep] });
      expect(await from('scenes', [deeper], { order: [] })).toEqual([{ n: 3 }]);
      expect(await films([column('count')], { order: [] })).toEqual([{ count: 4 }]);
      const ofMany = films([embed('scenes', { spread: true, select: [column('place'), sum] })]);
      expect(await refusal(ofMany)).toMatchObject({ code: 'PGRST127', status: 400 });
      const ungrouped = from('scenes', [sum], { order: [{ column: { name: 'id' }, direction: 'asc' }] });
      expect((await refusal(ungrouped)).code).toBe('42803');
    });
  });
}
