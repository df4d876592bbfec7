import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { embeddedPostgres } from '../support/embedded-postgres.ts';
import { handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

interface Opened {
  readonly engine: Engine;
  close(): Promise<void>;
}

async function sqlite(): Promise<Opened> {
  const board = new SqliteBoard();
  return { engine: await board.engine(REF), close: () => board.close() };
}

async function postgres(): Promise<Opened> {
  const server = await embeddedPostgres();
  return { engine: await server.engine(REF), close: () => server.stop() };
}

const tables = (json: string): string => `
create table owners (id integer primary key, name text);
create table items (
  id integer primary key, title text, price numeric, done boolean, at timestamp, data ${json},
  owner_id integer references owners(id)
);
create table tags (item_id integer references items(id), owner_id integer references owners(id), word text,
  primary key (item_id, owner_id));
insert into owners values (1, 'Ann'), (2, 'Bob');
insert into items values (1, 'a', 1.5, true, '2026-01-01 00:00:00', '{"k":[1,{"x":null}]}', 1), (2, null, null, null, null, null, null);
insert into tags values (1, 2, 'w');
`;

const column = fc.constantFrom('id', 'title', 'price', 'done', 'at', 'data', 'owner_id', 'nope', '"ti tle"');
const path = fc.oneof(
  { weight: 3, arbitrary: column },
  fc.constantFrom('data->k', 'data->>k', 'data->k->0', 'data->k->-1->>x', 'title->>a', 'data->"\'"', 'id->0'),
);
const value = fc.oneof(
  fc.constantFrom(
    '1',
    '-1',
    'a',
    '',
    'null',
    'true',
    '2026-01-01',
    '1e999',
    '9'.repeat(30),
    '{1,2}',
    '{"k":1}',
    '[1,2)',
  ),
  fc.string({ maxLength: 6, unit: 'binary' }),
);
const operator = fc.constantFrom(
  ...[
    'eq',
    'neq',
    'gt',
    'lte',
    'like',
    'ilike',
    'match',
    'imatch',
    'isdistinct',
    'cs',
    'cd',
    'ov',
    'sl',
    'adj',
  ],
  ...[
    'fts',
    'plfts(english)',
    'wfts(nope)',
    'eq(any)',
    'like(all)',
    'gt(any)',
    'not.eq',
    'not.match',
    'in',
    'is',
  ],
);
const condition = fc.tuple(operator, value).map(([op, text]) => {
  if (op === 'in') return `in.(${text})`;
  return op.endsWith('(any)') || op.endsWith('(all)')
    ? `${op}.{${text.replace(/[{}",\\]/g, '')}}`
    : `${op}.${text}`;
});
const select = fc.constantFrom(
  ...['*', 'id,title', 'id::text,price::int', 'data->k->0,n:data->>k', 'owners(name)', '*,owners!inner(*)'],
  ...[
    '...owners(owner:name)',
    'tags(word,owners(name))',
    'o:owners()',
    'owners!nope(name)',
    'title::nope',
    'owners(*,items(*))',
  ],
  ...[
    'count()',
    'price.sum(),done',
    'owners(id.max())',
    'id.avg()::text',
    'title.sum()',
    '...owners(id.count())',
  ],
);
const order = fc.constantFrom(
  'id',
  'title.desc.nullslast',
  'data->k',
  'owners(name)',
  'nope',
  'id,id',
  'tags(word)',
);
const pair = (key: string, text: string): string => `${encodeURIComponent(key)}=${encodeURIComponent(text)}`;
const search = fc
  .record(
    {
      select,
      order,
      filters: fc.array(fc.tuple(path, condition), { maxLength: 3 }),
      inner: fc.tuple(fc.constantFrom('owners.name', 'tags.word', 'owners.nope', 'o.id'), condition),
      related: fc.constantFrom(
        'owners=is.null',
        'tags=not.is.null',
        'o=is.null',
        'owners.limit=1',
        'tags.order=word.desc',
      ),
      limit: fc.constantFrom('0', '1', '99999999999'),
    },
    { requiredKeys: ['filters'] },
  )
  .map((given) =>
    [
      ...(given.select === undefined ? [] : [pair('select', given.select)]),
      ...(given.order === undefined ? [] : [pair('order', given.order)]),
      ...given.filters.map(([key, text]) => pair(key, text)),
      ...(given.inner === undefined ? [] : [pair(...given.inner)]),
      ...(given.related === undefined ? [] : [given.related]),
      ...(given.limit === undefined ? [] : [`limit=${given.limit}`]),
    ].join('&'),
  );
const body = fc.oneof(
  fc.constantFrom(
    '{}',
    '[]',
    '{"title":null}',
    '[{"id":9,"price":"x"}]',
    '{"data":{"a":1},"done":2}',
    '{"nope":1}',
  ),
  fc
    .dictionary(
      column.filter((name) => !name.includes('"')),
      fc.jsonValue({ maxDepth: 1 }),
      { maxKeys: 3 },
    )
    .map((row) => JSON.stringify(row)),
);
const prefer = fc.constantFrom(
  ...[
    'return=representation',
    'count=exact',
    'count=planned',
    'count=estimated',
    'resolution=merge-duplicates',
  ],
  ...['missing=default, return=representation', 'handling=strict, max-affected=1', 'return=headers-only'],
);

describe.each([
  ['sqlite', 'json', sqlite],
  ['postgres', 'jsonb', postgres],
] as const)('whatever the grammar says to %s', (engine, json, open) => {
  let opened: Opened;
  let board: TestGate;

  beforeAll(async () => {
    opened = await open();
    board = await startGate();
    board.session = opened.engine;
    board.project = { ...handleOf(REF, SERVICE), engine, settings: { grants: [], aggregates: true } };
    const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: tables(json) }, { apikey: SERVICE });
    expect(made.status, await made.text()).toBe(200);
  });
  afterAll(async () => {
    await board.gate.close();
    await opened.close();
  });

  it('is answered, or refused as the mistake that it is; every write of it is undone', async () => {
    const request = fc.record({
      method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PATCH', 'DELETE'),
      search,
      prefer,
      body,
    });
    await fc.assert(
      fc.asyncProperty(request, async (given) => {
        const reads = given.method === 'GET' || given.method === 'HEAD';
        const reply = await board.call(
          given.method,
          `/p/${REF}/rest/v1/items?${given.search}`,
          reads ? undefined : given.body,
          { apikey: SERVICE, prefer: `${given.prefer}, tx=rollback` },
        );
        const text = await reply.text();
        expect(reply.status, text).toBeLessThan(500);
      }),
      { numRuns: 200 },
    );
    const left = await board.get(`/p/${REF}/rest/v1/items?select=id&order=id`, { apikey: SERVICE });
    expect(await left.json()).toEqual([{ id: 1 }, { id: 2 }]);
  });
});
