import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ANON, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let board: TestGate;
const base = `/p/${REF}/rest/v1`;
const key = { apikey: SERVICE };
const full = { ...key, prefer: 'return=representation' };

beforeAll(async () => {
  board = await startGate();
});
afterAll(() => board.gate.close());
beforeEach(() => {
  board.engine.create('todos', ['id', 'title', 'rank']);
  const table = board.engine.tables.get('todos');
  if (table !== undefined) table.rows = [{ id: 1, title: 'one', rank: null }];
});

const KEYS = "Filters must include all and only primary key columns with 'eq' operators";
const VALUES = 'Payload values do not match URL in primary key column(s)';

/** Search, body, and what it is refused with. */
const REFUSED: readonly (readonly [string, unknown, number, string, string])[] = [
  [
    'limit=1&id=eq.1',
    { id: 1 },
    400,
    'PGRST114',
    'limit/offset querystring parameters are not allowed for PUT',
  ],
  [
    'id=eq.1&offset=1',
    { id: 1 },
    400,
    'PGRST114',
    'limit/offset querystring parameters are not allowed for PUT',
  ],
  ...[
    '',
    'title=eq.x',
    'id=not.eq.1',
    'id=in.(1)',
    'and=(id.eq.1)',
    'id=eq.1&title=eq.x',
    'id=eq.1&id=eq.1',
  ].map((search) => [search, { id: 1 }, 405, 'PGRST105', KEYS] as const),
  ['id=eq.1', { id: 2 }, 400, 'PGRST115', VALUES],
  ['id=eq.1', { title: 'x' }, 400, 'PGRST115', VALUES],
  ['id=eq.1', [], 400, 'PGRST115', VALUES],
];

const rows = (): unknown => board.engine.tables.get('todos')?.rows;
const errorOf = async (reply: Response): Promise<unknown> => ({
  status: reply.status,
  ...Object(await reply.json()),
});
const send = (method: string, path: string, body: string, type: string): Promise<Response> =>
  board.call(method, `${base}/${path}`, body, { ...full, 'content-type': type });

describe('bodies', () => {
  it('CSV, with quotes, line ends of both kinds and NULL', async () => {
    const reply = await send('POST', 'todos', 'id,title\r\n2,"a ""b"", c\nd"\n3,NULL\n', 'text/csv');
    expect(reply.status).toBe(201);
    expect(await reply.json()).toEqual([
      { id: '2', title: 'a "b", c\nd', rank: null },
      { id: '3', title: null, rank: null },
    ]);
  });

  it.each([
    ['', 'The CSV has no header line'],
    ['a,a\n1,2', 'The CSV names a column twice'],
    ['id,title\n1', 'All lines must have same number of fields'],
    ['id,title\n1,"x', 'The CSV cannot be read: a quote is not closed'],
    ['id,title\n1,"x"y', 'The CSV cannot be read: a quoted field is followed by text, at character 15'],
  ])('CSV that cannot be: %j', async (body, message) => {
    const error = await errorOf(await send('POST', 'todos', body, 'text/csv'));
    expect(error).toEqual({ status: 400, code: 'PGRST102', message, details: null, hint: null });
  });

  it('a form, as one row of texts', async () => {
    const reply = await send('POST', 'todos', 'id=2&title=a+b%21', 'application/x-www-form-urlencoded');
    expect(await reply.json()).toEqual([{ id: '2', title: 'a b!', rank: null }]);
  });

  it('rows whose keys differ are refused, unless columns says which count', async () => {
    const differ = '[{"id":2,"title":"x"},{"id":3}]';
    expect(await errorOf(await send('POST', 'todos', differ, 'application/json'))).toEqual({
      status: 400,
      code: 'PGRST102',
      message: 'All object keys must match',
      details: null,
      hint: null,
    });
    expect((await send('POST', 'todos?columns=id,title', differ, 'application/json')).status).toBe(201);
  });

  it('JSON that is none, in the words that clients know', async () => {
    expect(await errorOf(await send('POST', 'todos', '', 'application/json'))).toMatchObject({
      code: 'PGRST102',
      message: 'Empty or invalid json',
    });
  });

  it('an update by an array takes its first object, by an empty one changes nothing', async () => {
    const changed = await send('PATCH', 'todos?id=eq.1', '[{"title":"new"}]', 'application/json');
    expect(await changed.json()).toEqual([{ id: 1, title: 'new', rank: null }]);
    const same = await send('PATCH', 'todos?id=eq.1', '[]', 'application/json');
    expect([same.status, await same.json()]).toEqual([200, []]);
  });

  it('columns that an update names and its body lacks become NULL', async () => {
    const reply = await send('PATCH', 'todos?columns=title', '{"rank":3}', 'application/json');
    expect(await reply.json()).toEqual([{ id: 1, title: null, rank: null }]);
  });

  it('or their defaults, where that is asked for', async () => {
    const prefer = 'missing=default, return=representation';
    const path = `${base}/todos?columns=title,rank`;
    const reply = await board.call('PATCH', path, { rank: 3 }, { ...key, prefer });
    expect(reply.headers.get('preference-applied')).toBe('missing=default, return=representation');
    expect(await reply.json()).toEqual([{ id: 1, title: null, rank: 3 }]);
    const none = await board.call('PATCH', path, { nix: 3 }, { ...key, prefer });
    expect(await none.json()).toEqual([{ id: 1, title: null, rank: null }]);
  });
});

describe('PUT', () => {
  const put = (search: string, body: unknown, headers: Record<string, string> = key): Promise<Response> =>
    board.call('PUT', `${base}/todos?${search}`, body, headers);

  it('makes or replaces the row that its filters name', async () => {
    const made = await put('id=eq.2', { id: 2, title: 'two' });
    expect([made.status, made.headers.get('content-range'), await made.text()]).toEqual([204, null, '']);
    const changed = await put('id=eq.1', [{ id: 1, title: 'uno' }], full);
    expect([changed.status, await changed.json()]).toEqual([200, [{ id: 1, title: 'uno', rank: null }]]);
    expect(rows()).toMatchObject([{ title: 'uno' }, { title: 'two' }]);
    const first = await put(
      'id=eq.1',
      [
        { id: 1, title: 'une' },
        { id: 3, title: 'x' },
      ],
      full,
    );
    expect(await first.json()).toMatchObject([{ title: 'une' }]);
    expect(rows()).toMatchObject([{ title: 'une' }, { title: 'two' }]);
  });

  it.each(REFUSED)('%s with %j: %i %s', async (search, body, status, code, message) => {
    expect(await errorOf(await put(search, body))).toEqual({
      status,
      code,
      message,
      details: null,
      hint: null,
    });
    expect(rows()).toHaveLength(1);
  });
});

describe('one object asked for', () => {
  const object = { ...key, accept: 'application/vnd.pgrst.object+json' };

  it.each([
    ['PATCH', 'todos', { rank: 9 }, 2],
    ['DELETE', 'todos', undefined, 2],
    ['POST', 'todos', [{ id: 3 }, { id: 4 }], 2],
    ['POST', 'todos', [], 0],
    ['PATCH', 'todos?id=eq.7', { rank: 9 }, 0],
    ['DELETE', 'todos?id=eq.7', undefined, 0],
  ])(
    '%s %s with %j is undone and refused, though nothing is to be given back',
    async (method, path, body, count) => {
      board.engine.tables.get('todos')?.rows.push({ id: 2, title: 'two', rank: null });
      const before = JSON.stringify(rows());
      expect(await errorOf(await board.call(method, `${base}/${path}`, body, object))).toMatchObject({
        status: 406,
        code: 'PGRST116',
        details: `The result contains ${count} rows`,
      });
      expect(JSON.stringify(rows())).toBe(before);
    },
  );

  it('a write of one row is as ever', async () => {
    const reply = await board.call('PATCH', `${base}/todos?id=eq.1`, { rank: 9 }, object);
    expect([reply.status, await reply.text()]).toEqual([204, '']);
  });
});

describe('replies', () => {
  it('without nulls, of rows and of one', async () => {
    const accept = (kind: string): Record<string, string> => ({
      ...key,
      accept: `application/vnd.pgrst.${kind}+json;nulls=stripped`,
    });
    const list = await board.get(`${base}/todos`, accept('array'));
    expect(list.headers.get('content-type')).toBe(
      'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8',
    );
    expect(await list.json()).toEqual([{ id: 1, title: 'one' }]);
    const one = await board.get(`${base}/todos`, accept('object'));
    expect(await one.json()).toEqual({ id: 1, title: 'one' });
  });

  it('of a HEAD do not mind a Range header', async () => {
    const reply = await board.call('HEAD', `${base}/todos`, undefined, { ...key, range: '5-9' });
    expect([reply.status, reply.headers.get('content-range')]).toEqual([200, '0-0/*']);
  });

  it.each([
    ['9-2', '', 'The lower boundary must be lower than or equal to the upper boundary in the Range header.'],
    ['5-9', '?limit=2', 'Limit should be greater than or equal to zero.'],
  ])('Range %s with %s is a 416', async (range, search, details) => {
    const reply = await board.get(`${base}/todos${search}`, { ...key, range });
    expect(await errorOf(reply)).toEqual({
      status: 416,
      code: 'PGRST103',
      message: 'Requested range not satisfiable',
      details,
      hint: null,
    });
  });

  it('to a schema that is not shown say which are', async () => {
    expect(await errorOf(await board.get(`${base}/todos`, { ...key, 'accept-profile': 'x' }))).toEqual({
      status: 406,
      code: 'PGRST106',
      message: 'Invalid schema: x',
      details: null,
      hint: 'Only the following schemas are exposed: public',
    });
  });

  it('to another method than GET, HEAD or POST on a function', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const reply = await board.call(method, `${base}/rpc/f`, undefined, key);
      expect(reply.headers.get('allow')).toBe('OPTIONS, GET, HEAD, POST');
      expect(await errorOf(reply)).toMatchObject({
        status: 405,
        code: 'PGRST101',
        message: `Cannot use the ${method} method on RPC`,
      });
    }
  });
});

describe('OPTIONS', () => {
  const options = (path: string, headers: Record<string, string> = key): Promise<Response> =>
    board.call('OPTIONS', `${base}/${path}`, undefined, headers);

  it('says what a table and a function take, to whoever may do anything there', async () => {
    const table = await options('todos');
    expect([table.status, table.headers.get('allow'), await table.text()]).toEqual([
      200,
      'OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE',
      '',
    ]);
    expect(table.headers.get('access-control-allow-origin')).toBe('*');
    expect((await options('rpc/f')).headers.get('allow')).toBe('OPTIONS,GET,HEAD,POST');
    expect(await errorOf(await options('none'))).toMatchObject({ status: 404, code: 'PGRST205' });
    expect(await errorOf(await options('todos', {}))).toMatchObject({ status: 401 });
    expect(await errorOf(await options('todos', { apikey: ANON }))).toMatchObject({ status: 403 });
  });

  it('is a preflight where a browser asks, which has no key', async () => {
    const reply = await options('todos', { origin: 'https://a.b', 'access-control-request-method': 'PUT' });
    expect([reply.status, reply.headers.get('access-control-allow-methods')]).toEqual([
      200,
      'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD',
    ]);
  });
});

describe("a project's settings", () => {
  const settle = (settings: object): void => {
    board.project = { ...board.project, settings: { grants: [], ...settings } };
  };
  afterEach(() => settle({}));

  it('say whether replies tell how long each stage took', async () => {
    const timing = async (method = 'GET') =>
      (await board.call(method, `${base}/todos`, undefined, key)).headers.get('server-timing');
    expect(await timing()).toBeNull();
    settle({ serverTiming: true });
    const stages = ['jwt', 'parse', 'plan', 'transaction', 'response'];
    for (const method of ['GET', 'DELETE'])
      expect(await timing(method)).toMatch(
        RegExp(`^${stages.map((name) => `${name};dur=\\d+\\.\\d`).join(', ')}$`),
      );
  });

  it('say whether REST may aggregate, in embeds and in what a write gives back, too', async () => {
    for (const select of ['count()', 'rank.sum()', 'id,x(y.avg())']) {
      expect(await errorOf(await board.get(`${base}/todos?select=${select}`, key))).toMatchObject({
        status: 400,
        code: 'PGRST123',
        message: 'Use of aggregate functions is not allowed',
      });
    }
    const write = await board.call('PATCH', `${base}/todos?select=count()`, { rank: 1 }, full);
    expect(await errorOf(write)).toMatchObject({ code: 'PGRST123' });
    settle({ aggregates: true });
    const allowed = await errorOf(await board.get(`${base}/todos?select=rank.sum()`, key));
    expect(allowed).not.toMatchObject({ code: 'PGRST123' });
  });

  it('may name schemas beyond ASCII: headers have their UTF-8, and where none can hold a name, none', async () => {
    const bytes = Buffer.from('تست', 'utf8').toString('latin1');
    settle({ schemas: ['public', 'تست'] });
    const named = await board.get(`${base}/todos`, { ...key, 'accept-profile': bytes });
    expect([named.status, named.headers.get('content-profile')]).toEqual([200, bytes]);
    settle({ schemas: ['a\nb'] });
    const broken = await board.get(`${base}/todos`, key);
    expect([broken.status, broken.headers.get('content-profile')]).toEqual([200, null]);
  });

  it('bound the rows of a read, and none that a write gives back', async () => {
    const table = board.engine.tables.get('todos');
    if (table !== undefined) table.rows = [1, 2, 3].map((id) => ({ id, title: 'x', rank: null }));
    settle({ maxRows: 2 });
    const read = await board.get(`${base}/todos?limit=9`, { ...key, prefer: 'count=exact' });
    expect([read.status, read.headers.get('content-range')]).toEqual([206, '0-1/3']);
    const write = await board.call('PATCH', `${base}/todos`, { rank: 1 }, full);
    expect(await write.json()).toHaveLength(3);
  });

  it('say which schemas REST reaches, and the reply which one it is of', async () => {
    settle({ schemas: ['public', 'shop', 'back office'] });
    const own = await board.get(`${base}/todos`, key);
    expect([own.status, own.headers.get('content-profile')]).toEqual([200, 'public']);
    const shop = await board.get(`${base}/todos`, { ...key, 'accept-profile': 'shop' });
    expect(shop.headers.get('content-profile')).toBe('shop');
    const write = await board.call(
      'PATCH',
      `${base}/todos`,
      {},
      { ...key, 'content-profile': 'back office' },
    );
    expect(write.headers.get('content-profile')).toBe('back office');
    const none = await board.get(`${base}/todos`, { ...key, 'accept-profile': 'x' });
    expect(await errorOf(none)).toMatchObject({
      code: 'PGRST106',
      hint: 'Only the following schemas are exposed: public, shop, back office',
    });
    settle({ schemas: ['shop'] });
    const first = await board.get(`${base}/todos`, key);
    expect(first.headers.get('content-profile')).toBe('shop');
    const hidden = await board.get(`${base}/todos`, { ...key, 'accept-profile': 'public' });
    expect(await errorOf(hidden)).toMatchObject({
      code: 'PGRST106',
      hint: 'Only the following schemas are exposed: shop',
    });
  });
});
