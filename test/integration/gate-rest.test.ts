import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/limits.ts';
import { ANON, OTHER, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let board: TestGate;
const base = `/p/${REF}/rest/v1`;
const key = { apikey: SERVICE };

beforeAll(async () => {
  board = await startGate();
});
afterAll(() => board.gate.close());

beforeEach(() => {
  board.engine.create('todos', ['id', 'title', 'rank']);
  const table = board.engine.tables.get('todos');
  if (table !== undefined) {
    table.rows = [1, 2, 3, 4, 5].map((id) => ({ id, title: `todo ${id}`, rank: id % 2 }));
  }
});

const codeOf = async (reply: Response): Promise<[number, unknown]> => {
  const body = (await reply.json()) as { code: unknown };
  expect(Object.keys(body)).toEqual(['code', 'message', 'details', 'hint']);
  return [reply.status, body.code];
};

describe('reading', () => {
  it('answers with rows and their range', async () => {
    const reply = await board.get(`${base}/todos?id=lte.2&select=id&order=id`, key);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(reply.headers.get('content-range')).toBe('0-1/*');
    expect(await reply.json()).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('answers a part of a counted table with 206', async () => {
    const reply = await board.get(`${base}/todos?order=id`, { ...key, range: '1-2', prefer: 'count=exact' });
    expect(reply.status).toBe(206);
    expect(reply.headers.get('content-range')).toBe('1-2/5');
    expect(reply.headers.get('preference-applied')).toBe('count=exact');
  });

  it('answers nothing with an empty range, and an offset beyond the table with 416', async () => {
    const none = await board.get(`${base}/todos?id=eq.99`, key);
    expect([none.status, none.headers.get('content-range')]).toEqual([200, '*/*']);
    const beyond = await board.get(`${base}/todos?offset=9`, { ...key, prefer: 'count=exact' });
    expect(beyond.headers.get('content-range')).toBe('*/5');
    expect(await codeOf(beyond)).toEqual([416, 'PGRST103']);
  });

  it('says what it read, its parameters in their order and without the key', async () => {
    const at = async (search: string) =>
      (await board.get(`${base}/todos${search}`, key)).headers.get('content-location');
    expect(await at('')).toBe('/todos');
    expect(await at(`?select=id&apikey=${key.apikey}&id=eq.1`)).toBe('/todos?id=eq.1&select=id');
    expect(await at(`?apikey=${key.apikey}`)).toBe('/todos');
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const reply = await board.call('HEAD', `${base}/todos?limit=1`, undefined, {
      ...key,
      prefer: 'count=exact',
    });
    expect([reply.status, reply.headers.get('content-range')]).toEqual([206, '0-0/5']);
    expect([reply.headers.has('content-length'), await reply.text()]).toEqual([false, '']);
    // The connection is as good as after a GET.
    expect((await board.get(`${base}/todos?limit=1`, key)).headers.get('content-length')).toBe('36');
  });

  it('takes the key from Authorization or the query as well', async () => {
    const bearer = await board.get(`${base}/todos?limit=1`, { authorization: `Bearer ${SERVICE}` });
    const query = await board.get(`${base}/todos?limit=1&apikey=${SERVICE}`);
    expect([bearer.status, query.status]).toEqual([200, 200]);
  });

  it('finds a table whose name needs escapes', async () => {
    board.engine.create('odd name/ü', ['id']);
    const reply = await board.get(`${base}/${encodeURIComponent('odd name/ü')}`, key);
    expect(reply.status).toBe(200);
  });
});

describe('writing', () => {
  it('inserts and says where the row is', async () => {
    const reply = await board.call(
      'POST',
      `${base}/todos`,
      { title: 'new' },
      { ...key, prefer: 'return=headers-only' },
    );
    expect([reply.status, reply.headers.get('location')]).toEqual([201, '/todos?id=eq.6']);
    expect(reply.headers.get('content-range')).toBe('*/*');
    expect(await reply.text()).toBe('');
  });

  it('confirms the preferences that it applied', async () => {
    const prefer = 'return=representation, resolution=merge-duplicates, missing=default';
    const reply = await board.call('POST', `${base}/todos?on_conflict=id`, [{ id: 1, title: 'x' }], {
      ...key,
      prefer,
    });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('preference-applied')).toBe(
      'resolution=merge-duplicates, missing=default, return=representation',
    );
  });

  it('updates and deletes, with 204 unless rows are wanted', async () => {
    const quiet = await board.call('PATCH', `${base}/todos?id=eq.1`, { rank: 9 }, key);
    expect([quiet.status, quiet.headers.get('content-range')]).toEqual([204, '0-0/*']);
    const rows = await board.call('DELETE', `${base}/todos?id=eq.1`, undefined, {
      ...key,
      prefer: 'return=representation',
    });
    expect(rows.status).toBe(200);
    expect(await rows.json()).toEqual([{ id: 1, title: 'todo 1', rank: 9 }]);
  });

  it('does nothing where nothing is given', async () => {
    const insert = await board.call('POST', `${base}/todos`, [], { ...key, prefer: 'return=representation' });
    expect([insert.status, await insert.json()]).toEqual([201, []]);
    const update = await board.call('PATCH', `${base}/todos?id=eq.1`, {}, key);
    expect(update.status).toBe(204);
    expect(board.engine.tables.get('todos')?.rows).toHaveLength(5);
  });

  it('refuses to update or delete from an offset on', async () => {
    const reply = await board.call('DELETE', `${base}/todos?limit=1&offset=1`, undefined, key);
    expect(await codeOf(reply)).toEqual([400, 'PGRST100']);
    expect(board.engine.tables.get('todos')?.rows).toHaveLength(5);
  });
});

describe('bad input', () => {
  it('a body that is no JSON, no row, or no object', async () => {
    const post = (body: unknown): Promise<Response> => board.call('POST', `${base}/todos`, body, key);
    expect(await codeOf(await post('{"a":'))).toEqual([400, 'PGRST102']);
    expect(await codeOf(await post(''))).toEqual([400, 'PGRST102']);
    expect(await codeOf(await post('3'))).toEqual([400, 'PGRST102']);
    expect(await codeOf(await post('[1]'))).toEqual([400, 'PGRST102']);
    expect(await codeOf(await board.call('PATCH', `${base}/todos`, '[1]', key))).toEqual([400, 'PGRST102']);
  });

  it('a body of 11 MB', async () => {
    const body = JSON.stringify({ title: 'x'.repeat(11 * 1024 * 1024) });
    const reply = await board.call('POST', `${base}/todos`, body, key);
    expect(await codeOf(reply)).toEqual([413, 'MAG_BODY_TOO_LARGE']);
    expect((await board.get(`${base}/todos`, key)).status).toBe(200);
  });

  it('a body of another type', async () => {
    const headers = { ...key, 'content-type': 'application/octet-stream' };
    const reply = await board.call('POST', `${base}/todos`, 'a=1', headers);
    expect(await codeOf(reply)).toEqual([415, 'MAG_UNSUPPORTED_MEDIA_TYPE']);
  });

  it('keys that are missing, wrong or of another project', async () => {
    expect(await codeOf(await board.get(`${base}/todos`))).toEqual([401, 'MAG_KEY_MISSING']);
    expect(await codeOf(await board.get(`${base}/todos`, { apikey: 'x' }))).toEqual([401, 'MAG_KEY_INVALID']);
    expect(await codeOf(await board.get(`${base}/todos`, { apikey: OTHER }))).toEqual([
      401,
      'MAG_KEY_INVALID',
    ]);
    expect(await codeOf(await board.get(`${base}/todos`, { apikey: ANON }))).toEqual([403, 'MAG_FORBIDDEN']);
  });

  it('projects, tables, columns, schemas and routes that are not there', async () => {
    expect(await codeOf(await board.get('/p/none/rest/v1/todos', key))).toEqual([
      404,
      'MAG_PROJECT_NOT_FOUND',
    ]);
    expect(await codeOf(await board.get(`${base}/none`, key))).toEqual([404, 'PGRST205']);
    const column = await board.call('POST', `${base}/todos`, { nope: 1 }, key);
    expect(await codeOf(column)).toEqual([400, 'PGRST204']);
    const schema = await board.get(`${base}/todos`, { ...key, 'accept-profile': 'secret' });
    expect(await codeOf(schema)).toEqual([406, 'PGRST106']);
    expect(await codeOf(await board.get('/nothing/here'))).toEqual([404, 'MAG_NOT_FOUND']);
    expect(await codeOf(await board.get(`/p/${REF}/nothing`, key))).toEqual([404, 'MAG_NOT_FOUND']);
  });

  it('filters, types and preferences that cannot be', async () => {
    expect(await codeOf(await board.get(`${base}/todos?id=what`, key))).toEqual([400, 'PGRST100']);
    expect(await codeOf(await board.get(`${base}/todos`, { ...key, accept: 'image/png' }))).toEqual([
      406,
      'PGRST107',
    ]);
    const strict = { ...key, prefer: 'handling=strict, params=single-object' };
    expect(await codeOf(await board.get(`${base}/todos`, strict))).toEqual([400, 'PGRST122']);
  });

  it('addresses that are too long or malformed', async () => {
    const origin = 'https://page.example';
    const path = `${base}/todos?id=in.(${'1,'.repeat(LIMITS.urlBytes / 2)}1)`;
    const long = await board.get(path, { ...key, origin });
    expect(long.headers.get('access-control-allow-origin')).toBe('*');
    expect(await codeOf(long)).toEqual([414, 'MAG_URL_TOO_LONG']);
    const longer = await board.get(`${base}/todos?x=${'1'.repeat(20_000)}`, key);
    expect(await codeOf(longer)).toEqual([431, 'MAG_HEADERS_TOO_LARGE']);
    expect(await codeOf(await board.get(`${base}/%zz`, key))).toEqual([400, 'MAG_BAD_REQUEST']);
  });
});

describe('every reply', () => {
  it('carries a request id, the one that came if it is sane', async () => {
    const own = await board.get(`${base}/todos`, key);
    const given = await board.get(`${base}/todos`, { ...key, 'x-request-id': 'abc-1.2_3' });
    const odd = await board.get('/nothing', { 'x-request-id': 'a b' });
    expect(own.headers.get('x-request-id')).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
    expect(given.headers.get('x-request-id')).toBe('abc-1.2_3');
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
  });

  it('below what REST serves is told as PostgREST tells it', async () => {
    const reply = await board.get(`${base}/a/b`, key);
    expect([reply.status, await reply.json()]).toMatchObject([404, { code: 'PGRST125' }]);
    expect(reply.headers.get('proxy-status')).toBe('PostgREST; error=PGRST125');
    const missing = await board.call('HEAD', `${base}/none`, undefined, key);
    expect([missing.status, missing.headers.get('proxy-status')]).toEqual([404, 'PostgREST; error=PGRST205']);
  });

  it('may be read by a browser on any page, errors too', async () => {
    const origin = { origin: 'https://app.example' };
    for (const path of [`${base}/todos`, `${base}/none`, `/p/${REF}/nothing`]) {
      const reply = await board.get(path, { ...key, ...origin });
      expect(reply.headers.get('access-control-allow-origin')).toBe('*');
    }
    const preflight = await board.call('OPTIONS', `${base}/todos`, undefined, {
      ...origin,
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'apikey,authorization,x-client-info',
    });
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get('access-control-allow-headers')).toBe(
      'Authorization, apikey, authorization, x-client-info, Accept, Accept-Language, Content-Language',
    );
    expect(preflight.headers.get('access-control-max-age')).toBe('86400');
    const admin = await board.get('/admin/v1/projects', origin);
    expect(admin.headers.get('access-control-allow-origin')).toBeNull();
  });
});
