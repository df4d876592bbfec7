import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let server: EmbeddedPostgres;
let board: TestGate;
const rest = `/p/${REF}/rest/v1`;
const key = { apikey: SERVICE };
const full = { ...key, prefer: 'return=representation' };

/** Minutes, told as `1:05`; a stamp has no cast of text, and a serial no casts at all. */
const DDL = `
create domain span as int check (value >= 0);
create function span(text) returns span language sql immutable as
  $$ select (split_part($1, ':', 1)::int * 60 + split_part($1, ':', 2)::int)::span $$;
create function span(json) returns span language sql immutable as $$ select public.span($1 #>> '{}') $$;
create function shown(span) returns json language sql immutable as
  $$ select to_json(($1 / 60) || ':' || lpad(($1 % 60)::text, 2, '0')) $$;
create cast (text as span) with function span(text) as implicit;
create cast (json as span) with function span(json) as implicit;
create cast (span as json) with function shown(span) as implicit;
create domain stamp as date;
create function shown(stamp) returns json language sql stable as $$ select to_json('on ' || $1) $$;
create cast (stamp as json) with function shown(stamp) as implicit;
create domain seven as int default 7;
create table rides (id int primary key, line text, lasts span default 5, day stamp, n seven);
create table stops (id int primary key, ride int references rides on delete cascade, wait span);
create view slow as select id, lasts, (lasts * 2)::span as twice from rides;
`;

const sql = async (query: string): Promise<void> => {
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query }, key);
  expect(made.status, await made.text()).toBe(200);
};

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  board.project = {
    ...handleOf(REF, SERVICE),
    engine: 'postgres',
    settings: { grants: [], aggregates: true },
  };
  await sql(DDL);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});
beforeEach(() =>
  sql(`delete from rides;
    insert into rides values (1, 'a', 65, '2026-01-02'), (2, 'b', 9, null), (3, 'a', 65, '2026-01-03');
    insert into stops values (1, 1, 3), (2, 1, 61)`),
);

const get = async (path: string): Promise<unknown> => (await board.get(`${rest}/${path}`, key)).json();
const send = async (method: string, path: string, body: unknown, headers = full): Promise<unknown> => {
  const reply = await board.call(method, `${rest}/${path}`, body, headers);
  return [reply.status, await reply.json()];
};

describe('a domain that its owner casts to and from JSON and text', () => {
  it.each([
    [
      'rides?select=lasts,day&order=id',
      [
        { lasts: '1:05', day: 'on 2026-01-02' },
        { lasts: '0:09', day: null },
        { lasts: '1:05', day: 'on 2026-01-03' },
      ],
    ],
    ['rides?id=eq.2', [{ id: 2, line: 'b', lasts: '0:09', day: null, n: 7 }]],
    ['rides?select=took:lasts&order=lasts.desc,id&limit=1', [{ took: '1:05' }]],
    ['rides?select=lasts::text&id=eq.2', [{ lasts: '"0:09"' }]],
    ['slow?select=lasts,twice&id=eq.1', [{ lasts: '1:05', twice: '2:10' }]],
    ['rides?select=stops(wait)&id=eq.1', [{ stops: [{ wait: '0:03' }, { wait: '1:01' }] }]],
    ['stops?select=wait,...rides(lasts)&id=eq.2', [{ wait: '1:01', lasts: '1:05' }]],
    [
      'rides?select=lasts,count()&order=lasts',
      [
        { lasts: '0:09', count: 1 },
        { lasts: '1:05', count: 2 },
      ],
    ],
    ['rides?select=lasts.max()', [{ max: 65 }]],
  ])('is shown so: %s', async (path, rows) => {
    expect(await get(path)).toEqual(rows);
  });

  it.each([
    ['lasts=eq.1:05', [1, 3]],
    ['lasts=lt.0:30', [2]],
    ['lasts=in.(1:05,0:10)', [1, 3]],
    ['lasts=not.in.(1:05)', [2]],
    ['lasts=gte(any).{1:00,9:00}', [1, 3]],
    ['or=(lasts.eq.0:09,id.eq.3)', [2, 3]],
    ['lasts=is.null', []],
    ['day=eq.2026-01-02', [1]],
  ])('is filtered by, in the form of its text: %s', async (filter, ids) => {
    const rows = ids.map((id) => ({ id }));
    expect(await get(`rides?select=id&order=id&${filter}`)).toEqual(rows);
  });

  it('is inserted in the form of its JSON, one by one and at once', async () => {
    expect(await send('POST', 'rides?select=id,lasts', { id: 4, lasts: '2:00' })).toEqual([
      201,
      [{ id: 4, lasts: '2:00' }],
    ]);
    const rows = [
      { id: 5, lasts: '0:01' },
      { id: 6, lasts: null },
    ];
    const [, stored] = Object.values(Object(await send('POST', 'rides?select=id,lasts', rows)));
    expect(stored).toMatchObject([{ lasts: '0:01' }, { lasts: null }]);
    expect(await get('rides?select=lasts&id=eq.4')).toEqual([{ lasts: '2:00' }]);
  });

  it('is updated in the form of its JSON, which nobody reads where no row is to get it', async () => {
    const changed = [{ id: 1, lasts: '3:00', day: 'on 2026-01-02' }];
    expect(await send('PATCH', 'rides?id=eq.1&select=id,lasts,day', { lasts: '3:00' })).toEqual([
      200,
      changed,
    ]);
    expect(await send('PATCH', 'slow?lasts=eq.3:00', { lasts: '0:30' })).toEqual([
      200,
      [{ id: 1, lasts: '0:30', twice: '1:00' }],
    ]);
    for (let time = 0; time < 7; time += 1)
      expect(await send('PATCH', 'rides?id=eq.99', { lasts: 'soon' })).toEqual([200, []]);
    expect(await send('PATCH', 'rides?id=eq.1', { lasts: 'soon' })).toMatchObject([400, { code: '22P02' }]);
  });

  it('is merged and deleted as any other', async () => {
    const merge = { ...key, prefer: 'return=representation, resolution=merge-duplicates' };
    const [, merged] = Object.values(
      Object(await send('POST', 'rides?select=lasts', { id: 2, lasts: '0:10' }, merge)),
    );
    expect(merged).toEqual([{ lasts: '0:10' }]);
    expect(await send('DELETE', 'rides?lasts=eq.0:10&select=id,lasts', undefined)).toEqual([
      200,
      [{ id: 2, lasts: '0:10' }],
    ]);
  });

  it('gives its own default where a row lacks a column that has none', async () => {
    const defaults = { ...key, prefer: 'return=representation, missing=default' };
    await sql(`create table plans (id int primary key, n seven)`);
    expect(await send('POST', 'plans?columns=id,n', [{ id: 1 }, { id: 2, n: 3 }], defaults)).toEqual([
      201,
      [
        { id: 1, n: 7 },
        { id: 2, n: 3 },
      ],
    ]);
    await sql('drop table plans');
  });

  it('is shown as its type once more, when the cast is gone', async () => {
    await sql('drop cast (stamp as json)');
    expect(await get('rides?select=day&id=eq.1')).toEqual([{ day: '2026-01-02' }]);
    await sql('create cast (stamp as json) with function shown(stamp) as implicit');
    expect(await get('rides?select=day&id=eq.1')).toEqual([{ day: 'on 2026-01-02' }]);
  });
});
