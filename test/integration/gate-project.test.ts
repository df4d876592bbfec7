import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANON, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let board: TestGate;
const key = { apikey: SERVICE };

beforeAll(async () => {
  board = await startGate();
  board.engine.create('todos', ['id', 'title']);
});
afterAll(() => board.gate.close());

const codeOf = async (reply: Response): Promise<[number, unknown]> => {
  const body = (await reply.json()) as { code: unknown };
  return [reply.status, body.code];
};

/** fetch does not let a client choose its Host header. */
function getByHost(host: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { port: board.port, host: '127.0.0.1', path, headers: { ...key, host } },
      (reply) => {
        let body = '';
        reply.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body }));
      },
    );
    sent.on('error', reject).end();
  });
}

describe('native SQL', () => {
  it('runs for the service key and tells the feed', async () => {
    const before = board.nudged.length;
    const reply = await board.call('POST', `/p/${REF}/sql/v1`, { query: 'select ?', params: [1] }, key);
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ rows: [{ statement: 'select ?', params: [1] }], rowCount: 1 });
    expect(board.nudged.length).toBe(before + 1);
  });

  it('refuses every other key before it looks at the body', async () => {
    const anon = await board.call('POST', `/p/${REF}/sql/v1`, { nonsense: true }, { apikey: ANON });
    expect(await codeOf(anon)).toEqual([403, 'MAG_SERVICE_KEY_REQUIRED']);
    const none = await board.call('POST', `/p/${REF}/sql/v1`, { nonsense: true });
    expect(await codeOf(none)).toEqual([401, 'MAG_KEY_MISSING']);
  });

  it('refuses a body that asks nothing', async () => {
    for (const body of [{}, { query: '' }, { query: 1 }, { query: 'select 1', params: {} }]) {
      const reply = await board.call('POST', `/p/${REF}/sql/v1`, body, key);
      expect(await codeOf(reply)).toEqual([400, 'MAG_BAD_REQUEST']);
    }
  });
});

describe("a project's description", () => {
  it('lists its tables for the service key', async () => {
    for (const path of [`/p/${REF}/rest/v1/`, `/p/${REF}/rest/v1`]) {
      const reply = await board.get(path, key);
      expect(reply.status).toBe(200);
      expect(await reply.json()).toMatchObject({
        openapi: '3.1.0',
        paths: { '/todos': { get: {}, post: {} } },
        components: { schemas: { todos: { required: [], properties: { id: { type: 'integer' } } } } },
      });
    }
  });

  it('shows any other key the tables that its grants name, and what they let it do', async () => {
    const { project } = board;
    const described = async (): Promise<unknown> => {
      const reply = await board.get(`/p/${REF}/rest/v1/`, { apikey: ANON });
      const { paths } = (await reply.json()) as { paths: Record<string, object> };
      return Object.entries(paths).map(([path, item]) => [path, Object.keys(item)]);
    };
    expect(await described()).toEqual([]);
    const actions = ['select', 'insert'] as const;
    const grants = [
      { role: 'anon', table: 'todos', actions },
      { role: 'authenticated', table: '*', actions: ['delete'] },
    ] as const;
    board.project = { ...project, settings: { ...project.settings, grants } };
    expect(await described()).toEqual([['/todos', ['get', 'post']]]);
    board.project = project;
    expect((await board.get(`/p/${REF}/rest/v1/`)).status).toBe(401);
  });

  it('is sent as the media type that is wanted most', async () => {
    const typeFor = async (accept: string, method = 'GET'): Promise<unknown[]> => {
      const headers = { ...key, accept };
      const reply = await fetch(`${board.url}/p/${REF}/rest/v1/`, { method, headers });
      return [reply.status, reply.headers.get('content-type'), (await reply.text()) === ''];
    };
    const openapi = 'application/openapi+json';
    const json = 'application/json; charset=utf-8';
    for (const accept of [openapi, `text/csv, application/json;q=0.5, ${openapi}`])
      expect(await typeFor(accept)).toEqual([200, `${openapi}; charset=utf-8`, false]);
    expect(await typeFor(openapi, 'HEAD')).toEqual([200, `${openapi}; charset=utf-8`, true]);
    for (const accept of ['*/*', 'application/json', `${openapi};q=0, */*;q=0.1`])
      expect(await typeFor(accept)).toEqual([200, json, false]);
    for (const accept of ['text/csv', 'application/vnd.pgrst.object+json', `${openapi};q=0`]) {
      const reply = await board.get(`/p/${REF}/rest/v1/`, { ...key, accept });
      expect(await codeOf(reply)).toEqual([406, 'PGRST107']);
    }
    // A table has no such description of its own.
    const table = await board.get(`/p/${REF}/rest/v1/todos`, { ...key, accept: openapi });
    expect(await codeOf(table)).toEqual([406, 'PGRST107']);
  });
});

describe('a project named by host', () => {
  it('is the same project', async () => {
    for (const host of [
      `${REF}.example.com`,
      `${REF}.localhost:4600`,
      `${REF.toUpperCase()}.board.example`,
    ]) {
      expect(await getByHost(host, '/rest/v1/todos')).toMatchObject({ status: 200, body: '[]' });
    }
  });

  it('is not looked for in addresses, single labels or other paths', async () => {
    for (const host of ['127.0.0.1:80', 'localhost', '[::1]:80']) {
      expect((await getByHost(host, '/rest/v1/todos')).status).toBe(404);
    }
    expect((await getByHost(`${REF}.example.com`, '/livez')).status).toBe(200);
    expect(JSON.parse((await getByHost('www.example.com', '/rest/v1/todos')).body)).toMatchObject({
      code: 'MAG_PROJECT_NOT_FOUND',
    });
  });
});

describe('a broadcast over HTTP', () => {
  const path = `/p/${REF}/realtime/v1/api/broadcast`;

  it('waits for a gateway', async () => {
    const reply = await board.call('POST', path, { messages: [{ topic: 't', event: 'e' }] }, key);
    expect(await codeOf(reply)).toEqual([503, 'MAG_COMPONENT_UNAVAILABLE']);
  });

  it('reaches the gateway, one by one or in a batch', async () => {
    const heard: unknown[][] = [];
    board.gate.onBroadcast((ref, topic, event, payload) => void heard.push([ref, topic, event, payload]));
    const batch = {
      messages: [
        { topic: 'realtime:room', event: 'hi', payload: { a: 1 } },
        { topic: 'room2', event: 'bare' },
      ],
    };
    expect((await board.call('POST', path, batch, key)).status).toBe(202);
    const one = await board.call('POST', `${path}/room%203/events/hello`, { b: 2 }, { apikey: ANON });
    expect(one.status).toBe(202);
    expect(heard).toEqual([
      [REF, 'room', 'hi', '{"a":1}'],
      [REF, 'room2', 'bare', '{}'],
      [REF, 'room 3', 'hello', '{"b":2}'],
    ]);
  });

  it('is refused without a key or with a wrong body', async () => {
    expect(await codeOf(await board.call('POST', `${path}/t/events/e`, {}))).toEqual([
      401,
      'MAG_KEY_MISSING',
    ]);
    expect(await codeOf(await board.call('POST', path, { messages: [] }, key))).toEqual([
      400,
      'MAG_BAD_REQUEST',
    ]);
  });
});
