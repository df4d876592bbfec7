import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MagError } from '../../src/errors.ts';
import { ADMIN, startGate, type TestGate } from '../support/gate.ts';

let board: TestGate;
const key = { authorization: `Bearer ${ADMIN}` };
const project = {
  ref: 'r',
  name: 'n',
  engine: 'sqlite',
  url: 'u',
  status: 'ready',
  settings: { grants: [] },
};

beforeAll(async () => {
  board = await startGate();
  Object.assign(board.answers, {
    PROJECT_CREATE: () => project,
    PROJECT_LIST: () => [project],
    PROJECT_GET: () => {
      throw new MagError('MAG_PROJECT_NOT_FOUND', { ref: 'x' });
    },
    PROJECT_SETTINGS: () => project,
    PROJECT_ROTATE: () => project,
    PROJECT_DELETE: () => null,
    ACTOR_COMMAND: () => null,
    SESSION_OPEN: (request: object) => {
      if ('key' in request && request.key === ADMIN) return { token: 'mag_session_t', expiresInSeconds: 60 };
      throw new MagError('MAG_ADMIN_KEY_INVALID');
    },
    SESSION_CLOSE: () => null,
    ADMIN_VERIFY: ({ credential }: { credential: string }) =>
      credential === ADMIN || credential === 'mag_session_t',
    METRICS: () => 'mag_up 1\n',
  });
});
afterAll(() => board.gate.close());
beforeEach(() => {
  board.asked.length = 0;
});

const codeOf = async (reply: Response): Promise<[number, unknown]> => {
  const body = (await reply.json()) as { code: unknown };
  return [reply.status, body.code];
};
const asked = (type: string): object[] =>
  board.asked.filter((one) => one.type === type).map(({ request }) => request);

describe('the admin API', () => {
  it('opens to the admin key alone', async () => {
    expect(await codeOf(await board.get('/admin/v1/projects'))).toEqual([401, 'MAG_ADMIN_KEY_INVALID']);
    const wrong = await board.get('/admin/v1/projects', { authorization: 'Bearer nope' });
    expect(await codeOf(wrong)).toEqual([401, 'MAG_ADMIN_KEY_INVALID']);
    const right = await board.get('/admin/v1/projects', key);
    expect([right.status, await right.json()]).toEqual([200, [project]]);
  });

  it('asks once about a right key, and each time about a wrong one', async () => {
    await board.get('/admin/v1/projects', key);
    board.asked.length = 0;
    await board.get('/admin/v1/projects', key);
    expect(asked('ADMIN_VERIFY')).toHaveLength(0);
    for (const _ of [1, 2]) await board.get('/admin/v1/projects', { authorization: 'Bearer nope' });
    expect(asked('ADMIN_VERIFY')).toHaveLength(2);
  });

  it('creates a project and says who asked', async () => {
    const reply = await board.call('POST', '/admin/v1/projects', { name: 'shop', engine: 'sqlite' }, key);
    expect(reply.status).toBe(201);
    await board.call(
      'POST',
      '/admin/v1/projects',
      { name: 'shop', engine: 'sqlite' },
      { ...key, 'x-mag-client': 'cli' },
    );
    expect(asked('PROJECT_CREATE')).toEqual([
      { name: 'shop', engine: 'sqlite', actor: 'admin' },
      { name: 'shop', engine: 'sqlite', actor: 'cli' },
    ]);
  });

  it('holds bodies against their schema', async () => {
    const post = (body: unknown): Promise<Response> => board.call('POST', '/admin/v1/projects', body, key);
    expect(await codeOf(await post({ name: '', engine: 'sqlite' }))).toEqual([400, 'MAG_BAD_REQUEST']);
    expect(await codeOf(await post({ name: 'a', engine: 'sqlite', more: 1 }))).toEqual([
      400,
      'MAG_BAD_REQUEST',
    ]);
    expect(await codeOf(await post({ name: 'a', engine: 'oracle' }))).toEqual([400, 'MAG_ENGINE_UNKNOWN']);
    expect(await codeOf(await post('{'))).toEqual([400, 'MAG_BAD_JSON']);
    expect(await codeOf(await board.call('POST', '/admin/v1/projects', undefined, key))).toEqual([
      400,
      'MAG_BAD_REQUEST',
    ]);
    expect(asked('PROJECT_CREATE')).toEqual([]);
  });

  it('passes on what the board says', async () => {
    expect(await codeOf(await board.get('/admin/v1/projects/x', key))).toEqual([
      404,
      'MAG_PROJECT_NOT_FOUND',
    ]);
    const engines = await board.get('/admin/v1/engines', key);
    expect(engines.headers.get('retry-after')).toBe('1');
    expect(await codeOf(engines)).toEqual([503, 'MAG_COMPONENT_UNAVAILABLE']);
    expect((await board.call('DELETE', '/admin/v1/projects/x', undefined, key)).status).toBe(204);
  });

  it('leaves it to the catalogue which names are valid', async () => {
    const named = { name: 'Übung 1', engine: 'sqlite' };
    expect((await board.call('POST', '/admin/v1/projects', named, key)).status).toBe(201);
    expect(asked('PROJECT_CREATE')).toEqual([{ ...named, actor: 'admin' }]);
  });

  it('leaves it to the catalogue which settings are valid', async () => {
    const path = '/admin/v1/projects/r/settings';
    for (const method of ['PUT', 'PATCH']) {
      expect((await board.call(method, path, { grants: 'whatever' }, key)).status).toBe(200);
    }
    const told = { ref: 'r', settings: { grants: 'whatever' }, actor: 'admin' };
    expect(asked('PROJECT_SETTINGS')).toEqual([told, { ...told, merge: true }]);
  });

  it('rotates the keys of a project', async () => {
    expect((await board.call('POST', '/admin/v1/projects/r/keys/rotate', undefined, key)).status).toBe(200);
    expect(asked('PROJECT_ROTATE')).toEqual([{ ref: 'r', actor: 'admin' }]);
  });

  it('makes tokens of a project, of the roles and lives there are', async () => {
    const path = '/admin/v1/projects/r/tokens';
    const minted = { token: 't', role: 'authenticated', algorithm: 'EdDSA', expiresAt: 'then' };
    board.answers.PROJECT_TOKEN = () => minted;
    const token = { role: 'authenticated', claims: { sub: 'u' }, expiresIn: 60, algorithm: 'HS256' };
    const made = await board.call('POST', path, token, key);
    expect([made.status, await made.json()]).toEqual([201, minted]);
    expect(asked('PROJECT_TOKEN')).toEqual([{ ref: 'r', token, actor: 'admin' }]);
    for (const wrong of [
      {},
      { role: 'postgres' },
      { role: 'anon', expiresIn: 0 },
      { role: 'anon', expiresIn: 1e9 },
      { role: 'anon', algorithm: 'none' },
      { role: 'anon', claims: [] },
      { role: 'anon', more: 1 },
    ])
      expect((await board.call('POST', path, wrong, key)).status, JSON.stringify(wrong)).toBe(400);
    expect((await board.call('POST', path, token)).status).toBe(401);
  });

  it('commands actors by their path', async () => {
    const crash = '/admin/v1/actors/board/edges/edge-1/gate/crash';
    expect((await board.call('POST', crash, { reason: 'a test' }, key)).status).toBe(202);
    expect((await board.call('POST', crash, undefined, key)).status).toBe(202);
    expect(asked('ACTOR_COMMAND')).toEqual([
      { path: 'board/edges/edge-1/gate', command: 'crash', reason: 'a test', actor: 'admin' },
      { path: 'board/edges/edge-1/gate', command: 'crash', reason: expect.any(String), actor: 'admin' },
    ]);
    const explode = await board.call('POST', '/admin/v1/actors/board/explode', {}, key);
    expect(await codeOf(explode)).toEqual([404, 'MAG_NOT_FOUND']);
  });
});

describe('the console session', () => {
  it('is a cookie that scripts and other sites do not get', async () => {
    const opened = await board.call('POST', '/admin/v1/session', { key: ADMIN });
    expect(opened.status).toBe(200);
    const cookie = opened.headers.get('set-cookie') ?? '';
    expect(cookie).toBe('mag_session=mag_session_t; Path=/admin; Max-Age=60; HttpOnly; SameSite=Strict');
    const listed = await board.get('/admin/v1/projects', { cookie: cookie.split(';')[0] ?? '' });
    expect(listed.status).toBe(200);
    expect(asked('ADMIN_VERIFY').length).toBe(1);
    await board.get('/admin/v1/projects', { cookie: cookie.split(';')[0] ?? '' });
    // Never remembered: signing out is to hold for every worker at once.
    expect(asked('ADMIN_VERIFY').length).toBe(2);
    const closed = await board.call('DELETE', '/admin/v1/session', undefined, { cookie });
    expect(asked('SESSION_CLOSE')).toEqual([{ token: 'mag_session_t' }]);
    expect([closed.status, closed.headers.get('set-cookie')]).toEqual([
      204,
      'mag_session=; Path=/admin; Max-Age=0; HttpOnly; SameSite=Strict',
    ]);
  });

  it('acts as the console', async () => {
    const cookie = 'mag_session=mag_session_t';
    await board.call('POST', '/admin/v1/projects', { name: 'c', engine: 'sqlite' }, { cookie });
    expect(asked('PROJECT_CREATE')).toEqual([{ name: 'c', engine: 'sqlite', actor: 'console' }]);
  });

  it('does not act for a page of another origin, other ports of this host included', async () => {
    const cookie = 'mag_session=mag_session_t';
    const own = await board.get('/admin/v1/projects', { cookie, origin: board.url });
    expect(own.status).toBe(200);
    for (const origin of ['http://127.0.0.1:3000', 'https://evil.example', 'null']) {
      expect((await board.get('/admin/v1/projects', { cookie, origin })).status).toBe(401);
    }
    const foreign = await board.get('/admin/v1/projects', { cookie, 'sec-fetch-site': 'same-site' });
    expect(foreign.status).toBe(401);
  });

  it('is not opened for a wrong key or none', async () => {
    expect(await codeOf(await board.call('POST', '/admin/v1/session', { key: 'x' }))).toEqual([
      401,
      'MAG_ADMIN_KEY_INVALID',
    ]);
    expect(await codeOf(await board.call('POST', '/admin/v1/session', {}))).toEqual([400, 'MAG_BAD_REQUEST']);
  });
});

describe('what anybody may ask', () => {
  it('whether the board lives and is ready', async () => {
    const components = [
      { name: 'feed', stage: 'storage', status: 'restarting', optional: true, detail: 'why' },
    ] as const;
    board.status = { status: 'degraded', stage: 'ready', components };
    const ready = await board.get('/readyz');
    expect([ready.status, await ready.json()]).toEqual([200, board.status]);
    board.status = { status: 'booting', stage: 'storage', components: [] };
    const booting = await board.get('/readyz');
    expect([booting.status, booting.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await board.get('/livez')).status).toBe(200);
  });

  it('for metrics and the description of the API', async () => {
    const metrics = await board.get('/metrics');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toBe('mag_up 1\n');
    const document = (await (await board.get('/openapi.json')).json()) as { paths: object };
    expect(Object.keys(document.paths)).toContain('/admin/v1/projects');
  });
});
