import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, ExecuteContext } from '../../src/actors/storage/engine.ts';
import { resolveEmbeds } from '../../src/actors/storage/relationships.ts';
import type { JsonValue, Row, SelectItem, SelectQuery } from '../../src/protocol/query.ts';
import { embed } from '../contract/engine/embeds.ts';
import { column, compare, select } from '../contract/engine/subject.ts';
import { embeddedPostgres } from '../support/embedded-postgres.ts';
import { externalMysql } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** Authors, their books, the books' tags: small tables in which much hangs together and much does not. */
interface Data {
  readonly authors: readonly { readonly id: number; readonly rank: number | null }[];
  readonly books: readonly {
    readonly id: number;
    readonly author_id: number | null;
    readonly year: number;
  }[];
  readonly tags: readonly (readonly [book: number, tag: number])[];
}

const IDS = [1, 2, 3, 4];
const data: fc.Arbitrary<Data> = fc.record({
  authors: fc.uniqueArray(
    fc.record({ id: fc.constantFrom(...IDS), rank: fc.option(fc.integer({ min: 0, max: 3 })) }),
    { selector: ({ id }) => id, minLength: 1 },
  ),
  books: fc.uniqueArray(
    fc.record({
      id: fc.integer({ min: 1, max: 9 }),
      author_id: fc.option(fc.constantFrom(...IDS)),
      year: fc.integer({ min: 0, max: 4 }),
    }),
    { selector: ({ id }) => id, maxLength: 7 },
  ),
  tags: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 })), {
    selector: String,
    maxLength: 8,
  }),
});

interface Asked {
  readonly from: number;
  readonly inner: boolean;
  readonly tagged: boolean;
  readonly desc: boolean;
  readonly limit: number | null;
  readonly offset: number | null;
  readonly spread: boolean;
}

const asked: fc.Arbitrary<Asked> = fc.record({
  from: fc.integer({ min: 0, max: 4 }),
  inner: fc.boolean(),
  tagged: fc.boolean(),
  desc: fc.boolean(),
  limit: fc.option(fc.integer({ min: 0, max: 3 })),
  offset: fc.option(fc.integer({ min: 0, max: 2 })),
  spread: fc.boolean(),
});

const window = ({ limit, offset }: Asked) => ({
  ...(limit === null ? {} : { limit }),
  ...(offset === null ? {} : { offset }),
});
const byId = [{ column: { name: 'id' }, direction: 'asc' }] as const;

/** Authors with their books, those with their tags, and each book's author beside it. */
function authorsQuery(of: Asked): SelectQuery {
  const inside: readonly SelectItem[] = [
    column('id'),
    embed('tags', { select: [column('id')], order: byId, inner: of.tagged }),
    embed('authors', { select: [column('rank')], spread: of.spread }),
  ];
  const order = [
    { column: { name: 'year' }, direction: of.desc ? 'desc' : 'asc' },
    { column: { name: 'id' }, direction: 'asc' },
  ] as const;
  const where = compare('year', 'gte', String(of.from));
  const books = embed('books', { select: inside, where, order, inner: of.inner, ...window(of) });
  return select({ table: 'authors', select: [column('id'), books] });
}

/** The same by nested loops. */
function joined({ authors, books, tags }: Data, of: Asked): readonly Row[] {
  const tagsOf = (book: number) =>
    tags
      .filter(([each]) => each === book)
      .map(([, id]) => id)
      .sort((a, b) => a - b);
  const rows = authors
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, rank }) => {
      const own = books
        .filter((book) => book.author_id === id && book.year >= of.from)
        .filter((book) => !of.tagged || tagsOf(book.id).length > 0)
        .sort((a, b) => (of.desc ? b.year - a.year : a.year - b.year) || a.id - b.id);
      const skipped = own.slice(of.offset ?? 0);
      const page = of.limit === null ? skipped : skipped.slice(0, of.limit);
      const shown = page.map(
        (book): JsonValue => ({
          id: book.id,
          tags: tagsOf(book.id).map((tag) => ({ id: tag })),
          ...(of.spread ? { rank } : { authors: { rank } }),
        }),
      );
      return { id, books: shown };
    });
  return of.inner ? rows.filter(({ books: some }) => some.length > 0) : rows;
}

const TABLES = `
create table authors (id integer primary key, rank integer);
create table books (id integer primary key, author_id integer references authors (id), year integer);
create table tags (id integer primary key);
insert into tags values (1), (2), (3);
create table book_tags (book_id integer references books (id), tag_id integer references tags (id),
  primary key (book_id, tag_id))`;

const list = (rows: readonly (readonly unknown[])[]): string =>
  rows.map((row) => `(${row.map((value) => value ?? 'null').join(',')})`).join(',');

function fill({ authors, books, tags }: Data): string {
  const known = new Set(authors.map(({ id }) => id));
  const kept = books.map((book) => [
    book.id,
    book.author_id !== null && known.has(book.author_id) ? book.author_id : null,
    book.year,
  ]);
  const tagged = tags.filter(([id]) => books.some((book) => book.id === id));
  const insert = (table: string, rows: readonly (readonly unknown[])[]) =>
    rows.length === 0 ? '' : `insert into ${table} values ${list(rows)};`;
  return (
    `delete from book_tags; delete from books; delete from authors; ` +
    insert(
      'authors',
      authors.map(({ id, rank }) => [id, rank]),
    ) +
    insert('books', kept) +
    insert('book_tags', tagged)
  );
}

describe('embedded rows are those of a naive join', () => {
  const engines: { name: string; engine: Engine; context: () => ExecuteContext }[] = [];
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const board = new SqliteBoard();
    const pg = await embeddedPostgres();
    closing.push(
      () => board.close(),
      () => pg.stop(),
    );
    engines.push({ name: 'sqlite', engine: await board.engine(), context: () => board.context() });
    engines.push({
      name: 'postgres',
      engine: await pg.engine('embeds'),
      context: () => pg.context('embeds'),
    });
    if (service('mariadb').available) {
      const mysql = externalMysql();
      closing.push(() => mysql.stop());
      const engine = await mysql.engine('embeds');
      engines.push({ name: 'mysql', engine, context: () => mysql.context('embeds') });
    }
    for (const { engine, context } of engines) await engine.sql(TABLES, [], context());
  });
  afterAll(async () => {
    for (const close of closing) await close();
  });

  it('on every SQL engine, whatever is asked of them', async () => {
    await fc.assert(
      fc.asyncProperty(data, fc.array(asked, { minLength: 1, maxLength: 4 }), async (rows, queries) => {
        for (const { name, engine, context } of engines) {
          await engine.sql(fill(rows), [], context());
          for (const of of queries) {
            const query = resolveEmbeds(authorsQuery(of), await engine.schema(context()));
            const { json } = await engine.execute(query, context());
            expect({ name, rows: JSON.parse(json) }).toEqual({ name, rows: joined(rows, of) });
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
