import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let server: EmbeddedPostgres;
let board: TestGate;
const rest = `/p/${REF}/rest/v1`;
const key = { apikey: SERVICE };

const DDL = `
create table shelves (id int primary key, name text);
create table books (
  id int generated always as identity primary key, title text default 'untitled', pages int default 100,
  half int generated always as (pages / 2) stored, shelf int references shelves);
create view titles as select id, title from books;
alter view titles alter column title set default 'unseen';
create table loose (a text, b text);
create table pairs (k1 int, k2 text, v int, primary key (k1, k2));
create view pair_keys as select k1, k2 from pairs;
create table left_side (id int primary key);
create table right_side (id int primary key);
create view both_sides as select l.id, r.id as other from left_side l left join right_side r on r.id = l.id;
create function keep_left() returns trigger language plpgsql as
  'begin insert into left_side values (new.id); return new; end';
create trigger keep instead of insert on both_sides for each row execute function keep_left();
create schema shop;
create table shop.pairs (code text primary key);
`;
const SEED = `truncate books, shelves, loose, pairs, left_side restart identity;
  insert into shelves values (1, 'low'), (2, 'high');
  insert into books (title, pages, shelf) values ('b', 10, 1), ('a', 20, 2), ('c', 30, 2)`;

const sql = async (query: string): Promise<void> => {
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query }, key);
  expect(made.status, await made.text()).toBe(200);
};
const write = (method: string, path: string, body: unknown, prefer: string, more = {}): Promise<Response> =>
  board.call(method, `${rest}/${path}`, body, { ...key, prefer, ...more });
const rowsOf = async (reply: Promise<Response>): Promise<unknown> => (await reply).json();
const FULL = 'return=representation';
const DEFAULT = 'return=representation, missing=default';

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  const settings = { grants: [], schemas: ['public', 'shop'] };
  board.project = { ...handleOf(REF, SERVICE), engine: 'postgres', settings };
  await sql(DDL);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});
beforeEach(() => sql(SEED));

it('an update or deletion affects no more rows than its limit, or none', async () => {
  const titles = () => rowsOf(board.get(`${rest}/books?select=title&order=id`, key));
  const within = await write('PATCH', 'books?id=lte.2&limit=2&order=id.desc&select=id', { title: 'x' }, FULL);
  expect([within.status, await within.json()]).toEqual([200, [{ id: 2 }, { id: 1 }]]);
  for (const [method, body] of [['PATCH', { title: 'y' }] as const, ['DELETE', undefined] as const]) {
    const beyond = await write(method, 'books?limit=2', body, FULL);
    expect([beyond.status, await beyond.json()]).toMatchObject([
      400,
      { code: 'PGRST124', details: 'The query affects 3 rows' },
    ]);
    const strict = 'handling=strict, max-affected=1';
    expect((await write(method, 'books?limit=9&id=lte.2', body, strict)).status).toBe(400);
  }
  expect(await titles()).toEqual([{ title: 'x' }, { title: 'x' }, { title: 'c' }]);
});

describe('what a write gives back', () => {
  it.each([
    [
      'PATCH',
      'books?select=title&order=title.desc',
      { pages: 1 },
      [{ title: 'c' }, { title: 'b' }, { title: 'a' }],
    ],
    [
      'PATCH',
      'books?select=title&order=pages.desc',
      { title: 'x' },
      [{ title: 'x' }, { title: 'x' }, { title: 'x' }],
    ],
    [
      'DELETE',
      'books?select=title,shelves(name)&order=shelves(name).asc,title.desc',
      undefined,
      [
        { title: 'c', shelves: { name: 'high' } },
        { title: 'a', shelves: { name: 'high' } },
        { title: 'b', shelves: { name: 'low' } },
      ],
    ],
    [
      'POST',
      'books?select=title&order=title',
      [{ title: 'z' }, { title: 'y' }],
      [{ title: 'y' }, { title: 'z' }],
    ],
    [
      'PATCH',
      'shelves?select=name,books(title)&order=id.desc&books.order=title.desc',
      { name: 'n' },
      [
        { name: 'n', books: [{ title: 'c' }, { title: 'a' }] },
        { name: 'n', books: [{ title: 'b' }] },
      ],
    ],
  ])('%s %s is in the order asked for', async (method, path, body, rows) => {
    expect(await rowsOf(write(method, path, body, FULL))).toEqual(rows);
  });

  it('by headers alone is where the row is, of a view by the keys that it shows', async () => {
    const at = async (path: string, body: unknown, more = {}): Promise<string | null> =>
      (await write('POST', path, body, 'return=headers-only', more)).headers.get('location');
    expect(await at('pair_keys', { k1: 1, k2: 'x y' })).toBe('/pair_keys?k1=eq.1&k2=eq.x%20y');
    expect(await at('both_sides', { id: 1 })).toBe('/both_sides?id=eq.1&other=is.null');
    expect(await at('loose', { a: '1' })).toBeNull();
    expect(await at('pairs', { code: 'c' }, { 'content-profile': 'shop' })).toBe('/pairs?code=eq.c');
  });
});

describe('an update that asks for defaults', () => {
  it('gives them to the columns that it names and its body lacks', async () => {
    const changed = write(
      'PATCH',
      'books?id=eq.1&columns=title,pages&select=id,title,pages',
      { title: 't' },
      DEFAULT,
    );
    expect((await changed).headers.get('preference-applied')).toBe('missing=default, return=representation');
    expect(await rowsOf(changed)).toEqual([{ id: 1, title: 't', pages: 100 }]);
    const shown = 'id=eq.2&columns=title,half&select=title,half';
    expect(await rowsOf(write('PATCH', `books?${shown}`, { nix: 1 }, DEFAULT))).toEqual([
      { title: 'untitled', half: 10 },
    ]);
  });

  it('of a view has its own', async () => {
    const reply = write('PATCH', 'titles?id=eq.1&columns=title&select=title', { nix: 1 }, DEFAULT);
    expect(await rowsOf(reply)).toEqual([{ title: 'unseen' }]);
  });
});

describe('an upsert', () => {
  const merge = 'return=representation, resolution=merge-duplicates';

  it('of no rows made none', async () => {
    const reply = await write('POST', 'pairs', [], merge);
    expect([reply.status, await reply.json()]).toEqual([200, []]);
  });

  it('into a table without a primary key is an insert, and resolves nothing', async () => {
    const reply = await write('POST', 'loose', [{ a: '1' }], merge);
    expect([reply.status, reply.headers.get('preference-applied')]).toEqual([201, 'return=representation']);
    const alone = await write('POST', 'loose', [{ a: '1' }], 'resolution=ignore-duplicates');
    expect([alone.status, alone.headers.get('preference-applied')]).toEqual([201, null]);
    const keyed = await write('POST', 'pairs', [{ k1: 1, k2: 'a' }], merge);
    expect(keyed.headers.get('preference-applied')).toBe(
      'resolution=merge-duplicates, return=representation',
    );
  });
});
