import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard;
let project: NewProject;
let other: NewProject;

beforeAll(async () => {
  board = await startTestBoard();
  project = await board.createProject('bad-input');
  other = await board.createProject('bad-input-other');
  await board.sql(project, 'create table notes (id integer primary key, body text)');
});
afterAll(async () => {
  await board.stop();
});

interface Reply {
  readonly status: number;
  readonly body: { readonly code?: string; readonly message?: string };
  readonly requestId: string | null;
}

async function send(path: string, init: RequestInit & { key?: string } = {}): Promise<Reply> {
  const key = init.key ?? project.keys.service;
  const reply = await fetch(board.url + path, {
    ...init,
    headers: { apikey: key, ...(init.headers as Record<string, string>) },
  });
  const text = await reply.text();
  return {
    status: reply.status,
    body: text === '' ? {} : JSON.parse(text),
    requestId: reply.headers.get('x-request-id'),
  };
}

const rest = (path: string): string => `/p/${project.ref}/rest/v1/${path}`;
const json = { 'content-type': 'application/json' };

describe('what anybody may ask', () => {
  it('names no project, key or file', async () => {
    expect((await send(rest('notes'))).status).toBe(200);
    for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json']) {
      const text = await (await fetch(board.url + path)).text();
      for (const secret of [project.ref, 'mag_anon_', 'mag_service_', 'mag-board-']) {
        expect(text).not.toContain(secret);
      }
    }
  });
});

describe('bad input is answered, never with a 500', () => {
  it('malformed JSON', async () => {
    const reply = await send(rest('notes'), { method: 'POST', headers: json, body: '{"body": ' });
    expect([reply.status, reply.body.code]).toEqual([400, 'PGRST102']);
  });

  it('a body of arrays inside arrays, a million deep', async () => {
    const body = `{"body":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`;
    const reply = await send(rest('notes'), { method: 'POST', headers: json, body });
    expect([reply.status, reply.body.code]).toEqual([400, 'PGRST102']);
  });

  it.each([
    ['a value', 'POST', 'rest/v1/notes', '{"body":"a\\ud800"}', 'PGRST102'],
    ['the other half', 'POST', 'rest/v1/notes', '{"body":"\\uDC00b"}', 'PGRST102'],
    ['halves in the wrong order', 'POST', 'rest/v1/notes', '{"body":"\\udc00\\ud800"}', 'PGRST102'],
    ['a column', 'POST', 'rest/v1/notes', '{"\\ud800":"a"}', 'PGRST102'],
    ['JSON inside', 'PATCH', 'rest/v1/notes?id=eq.1', '{"body":{"a":["\\ud8ff"]}}', 'PGRST102'],
    ['an argument', 'POST', 'rest/v1/rpc/f', '{"a":"\\ud800"}', 'PGRST102'],
    [
      ...(['an operation', 'POST', 'tx/v1'] as const),
      '{"operations":[{"method":"insert","table":"notes","values":{"body":"\\ud800"}}]}',
      'MAG_BAD_JSON',
    ],
    ['a parameter', 'POST', 'sql/v1', '{"query":"select ?","params":["\\ud800"]}', 'MAG_BAD_JSON'],
    ['a command', 'POST', 'native/v1', '{"command":["SET","k","\\ud800"]}', 'MAG_BAD_JSON'],
  ])('half of a surrogate pair, which no encoding has, as %s', async (_what, method, path, body, code) => {
    const reply = await send(`/p/${project.ref}/${path}`, { method, headers: json, body });
    expect([reply.status, reply.body.code]).toEqual([400, code]);
    expect(reply.body.message).toContain('half of a surrogate pair');
  });

  it('takes what is a pair, or only looks like half of one', async () => {
    const body = '[{"id":71,"body":"\\ud83d\\ude00"},{"id":72,"body":"\\\\ud800"}]';
    await send(rest('notes'), { method: 'POST', headers: json, body });
    expect((await send(rest('notes?id=gt.70&order=id&select=body'))).body).toEqual([
      { body: '😀' },
      { body: '\\ud800' },
    ]);
  });

  it.each([
    ['application/json', [...Buffer.from('{"body":"'), 0xed, 0xa0, 0x80, ...Buffer.from('"}')]],
    ['text/csv', [...Buffer.from('body\n'), 0xff]],
  ])('bytes of %s that are no UTF-8', async (type, bytes) => {
    const headers = { 'content-type': type };
    const reply = await send(rest('notes'), { method: 'POST', headers, body: Buffer.from(bytes) });
    expect([reply.status, reply.body.code]).toEqual([400, 'MAG_BAD_REQUEST']);
  });

  it('a value of a URL that is no UTF-8', async () => {
    const reply = await send(rest('notes?body=eq.%ED%A0%80'));
    expect([reply.status, reply.body.code]).toEqual([400, 'MAG_BAD_REQUEST']);
  });

  it('a body of 11 MB', async () => {
    const reply = await send(rest('notes'), {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ body: 'x'.repeat(11 * 1024 * 1024) }),
    });
    expect([reply.status, reply.body.code]).toEqual([413, 'MAG_BODY_TOO_LARGE']);
  });

  it('a filter on an unknown column', async () => {
    const reply = await send(rest('notes?colour=eq.red'));
    expect(reply.status).toBe(400);
    expect(['PGRST204', '42703']).toContain(reply.body.code);
  });

  it('a filter that does not parse', async () => {
    const reply = await send(rest('notes?id=equals.1'));
    expect([reply.status, reply.body.code]).toEqual([400, 'PGRST100']);
  });

  it('an unknown table', async () => {
    const reply = await send(rest('no_such_table'));
    expect([reply.status, reply.body.code]).toEqual([404, 'PGRST205']);
  });

  it('SQL with an error', async () => {
    const reply = await board.sql(project, 'selekt 1');
    expect([reply.status, reply.body.code]).toEqual([400, '42601']);
  });

  it('a wrong key, a foreign key and no key', async () => {
    const wrong = await send(rest('notes'), { key: 'mag_service_wrong' });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'MAG_KEY_INVALID']);
    const foreign = await send(rest('notes'), { key: other.keys.service });
    expect([foreign.status, foreign.body.code]).toEqual([401, 'MAG_KEY_INVALID']);
    const none = await fetch(board.url + rest('notes'));
    expect(none.status).toBe(401);
  });

  it('the anon key at the SQL endpoint', async () => {
    const reply = await send(`/p/${project.ref}/sql/v1`, {
      method: 'POST',
      headers: json,
      body: '{"query":"select 1"}',
      key: project.keys.anon,
    });
    expect([reply.status, reply.body.code]).toEqual([403, 'MAG_SERVICE_KEY_REQUIRED']);
  });

  it('an unknown route, an unknown project and an unknown actor', async () => {
    expect((await send('/no/such/route')).status).toBe(404);
    expect((await send('/p/nosuchproject000/rest/v1/notes')).status).toBe(404);
    const crash = await board.admin('POST', '/admin/v1/actors/board/nobody/crash', { reason: 'test' });
    expect(crash.status).toBe(404);
  });

  it('an admin route without its key', async () => {
    const reply = await fetch(`${board.url}/admin/v1/projects`, {
      headers: { authorization: 'Bearer nope' },
    });
    expect(reply.status).toBe(401);
    expect(((await reply.json()) as { code: string }).code).toBe('MAG_ADMIN_KEY_INVALID');
  });

  it('a project on an engine that does not exist, and a name that is none', async () => {
    const engine = await board.admin<{ code: string }>('POST', '/admin/v1/projects', {
      name: 'x',
      engine: 'oracle',
    });
    expect(engine.status).toBe(400);
    const name = await board.admin<{ code: string }>('POST', '/admin/v1/projects', {
      name: '',
      engine: 'sqlite',
    });
    expect(name.status).toBe(400);
  });

  it('gives every reply a request id', async () => {
    expect((await send(rest('notes'))).requestId).toBeTruthy();
    expect((await send('/no/such/route')).requestId).toBeTruthy();
  });

  it('raw bytes that are no HTTP', async () => {
    const { port } = new URL(board.url);
    const text = await new Promise<string>((resolve) => {
      let received = '';
      const socket = connect(Number(port), '127.0.0.1', () =>
        socket.end('\x16\x03\x01 this is no HTTP\r\n\r\n'),
      );
      socket.on('data', (chunk) => {
        received += chunk.toString();
      });
      socket.on('close', () => resolve(received));
      socket.on('error', () => resolve(received));
    });
    expect(text).toMatch(/^HTTP\/1\.1 400/);
    expect((await fetch(`${board.url}/livez`)).status).toBe(200);
  });
});

describe('bad realtime input', () => {
  const socketUrl = (key: string): string =>
    `${board.url.replace('http', 'ws')}/p/${project.ref}/realtime/v1/websocket?apikey=${key}&vsn=2.0.0`;
  const open = (key = project.keys.service): Promise<WebSocket> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(socketUrl(key));
      socket.once('open', () => resolve(socket));
      socket.once('error', reject);
    });
  const next = (socket: WebSocket): Promise<string> =>
    new Promise((resolve) => socket.once('message', (data) => resolve(data.toString())));

  it('a wrong key is refused before the upgrade', async () => {
    await expect(open('mag_anon_wrong')).rejects.toThrow(/401/);
  });

  it('a frame that is no JSON takes nothing but its own socket', async () => {
    const bystander = await open();
    const culprit = await open();
    culprit.send('this is no JSON');
    bystander.send(JSON.stringify([null, '1', 'phoenix', 'heartbeat', {}]));
    expect(JSON.parse(await next(bystander))[3]).toBe('phx_reply');
    culprit.terminate();
    bystander.close();
  });

  it('a join to an unknown table is answered with an error', async () => {
    const socket = await open();
    const join = {
      config: {
        broadcast: {},
        presence: {},
        postgres_changes: [{ event: '*', schema: 'public', table: 'no_such_table' }],
      },
    };
    socket.send(JSON.stringify(['1', '1', 'realtime:x', 'phx_join', join]));
    const [, , , event, payload] = JSON.parse(await next(socket));
    expect(event).toBe('phx_reply');
    expect(payload.status).toBe('error');
    socket.close();
  });
});
