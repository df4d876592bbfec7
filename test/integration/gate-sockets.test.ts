import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/limits.ts';
import { ADMIN, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const open: TestGate[] = [];
const sockets: Socket[] = [];

async function start(...given: Parameters<typeof startGate>): Promise<TestGate> {
  const board = await startGate(...given);
  open.push(board);
  return board;
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map((board) => board.gate.close()));
});

/** A connected socket that has said `text` and no more. */
function half(port: number, text: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text);
      resolve(socket);
    });
    socket.on('error', reject);
    sockets.push(socket);
  });
}

function ended(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.removeAllListeners('error').on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

/** Waits until the gate says so; the test's own timeout bounds it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The headers of an opening handshake that RFC 6455 asks for. */
const HANDSHAKE = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n';

describe('sockets that never finish a request', () => {
  it('do not keep anybody else out, however many, and the oldest give way', async () => {
    const board = await start([], { edges: 4 });
    const limit = LIMITS.halfOpenSockets / 4;
    const partial = [
      '',
      'GET / HTTP/1.1\r\nhost: x\r\n',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{',
    ];
    const first = await half(board.port, '');
    const firstEnd = ended(first);
    for (let batch = 0; batch < 30; batch += 1) {
      const opened = Array.from({ length: 100 }, (_, at) => half(board.port, partial[at % 3] ?? ''));
      for (const socket of await Promise.all(opened))
        socket.removeAllListeners('error').on('error', () => {});
    }
    expect((await board.get('/livez')).status).toBe(200);
    expect((await board.get(`/p/${REF}/rest/v1/none`, { apikey: SERVICE })).status).toBe(404);
    await firstEnd;
    await until(() => board.gate.stats().halfOpenEvicted >= 3_001 - limit);
    expect(board.gate.stats().halfOpen).toBeLessThanOrEqual(limit);
  });

  it('are half-open no longer once their request is there', async () => {
    const board = await start();
    const socket = await half(board.port, 'GET /livez HTTP/1.1\r\nhost: x\r\n');
    await until(() => board.gate.stats().halfOpen === 1);
    socket.write('\r\n');
    await until(() => board.gate.stats().halfOpen === 0);
    expect(board.gate.stats().sockets).toBe(1);
  });
});

describe('a socket that speaks no HTTP', () => {
  it('gets a proper refusal and is counted', async () => {
    const board = await start();
    const text = await ended(await half(board.port, 'hello there\r\n\r\n'));
    expect(text).toContain('HTTP/1.1 400');
    expect(text).toContain('"code":"MAG_BAD_REQUEST"');
    expect(board.gate.stats().malformed).toBe(1);
  });
});

describe('a request that HTTP itself refuses', () => {
  it('is told why in JSON, under a request id: without a host, or with a handshake that is none', async () => {
    const board = await start();
    const path = `/p/${REF}/realtime/v1/websocket`;
    const upgrade = `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n`;
    board.gate.onUpgrade('/realtime/v1/websocket', () => {
      throw new Error('nobody should come here');
    });
    for (const text of [
      'GET /livez HTTP/1.1\r\n\r\n',
      `${upgrade}sec-websocket-version: 13\r\n\r\n`,
      `${upgrade}${HANDSHAKE.replace('13', '7')}\r\n`,
      `${upgrade.replace('websocket\r\n', 'h2c\r\n')}${HANDSHAKE}\r\n`,
    ]) {
      const reply = await ended(await half(board.port, text));
      expect(reply).toContain('HTTP/1.1 400 Bad Request');
      expect(reply).toContain('"code":"MAG_BAD_REQUEST"');
      expect(reply).toMatch(/x-request-id: \S+/);
    }
  });

  it('is served where it expects what nobody knows', async () => {
    const board = await start();
    const text = 'GET /livez HTTP/1.1\r\nhost: x\r\nexpect: tea\r\nconnection: close\r\n\r\n';
    expect(await ended(await half(board.port, text))).toContain('HTTP/1.1 200');
  });
});

describe('an upgrade', () => {
  const upgrade = (path: string, extra = ''): string =>
    `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n${HANDSHAKE}${extra}\r\n`;

  it('goes to the handler of its path, project and query given', async () => {
    const board = await start();
    const seen: object[] = [];
    board.gate.onUpgrade('/realtime/v1/websocket', (_request, socket, _head, route) => {
      seen.push(route);
      socket.end('HTTP/1.1 101 Fine\r\n\r\n');
    });
    const path = `/p/${REF}/realtime/v1/websocket?apikey=k&vsn=2.0.0`;
    expect(await ended(await half(board.port, upgrade(path)))).toContain('101 Fine');
    const byHost = upgrade('/realtime/v1/websocket').replace('host: x', `host: ${REF}.example.com`);
    expect(await ended(await half(board.port, byHost))).toContain('101 Fine');
    expect(seen).toMatchObject([
      { ref: REF, search: 'apikey=k&vsn=2.0.0' },
      { ref: REF, search: '' },
    ]);
    expect(board.gate.stats().upgrades).toBe(2);
  });

  it('to anywhere else is a 404 and the end of the socket', async () => {
    const board = await start();
    board.gate.onUpgrade('/admin/v1/scope', () => {
      throw new Error('nobody should come here');
    });
    for (const path of ['/', `/p/${REF}/nothing`, `/p/${REF}/admin/v1/scope`, '/realtime/v1/websocket']) {
      expect(await ended(await half(board.port, upgrade(path)))).toContain('HTTP/1.1 404');
    }
  });

  it("to the operator's scope needs the operator's key, however it is sent", async () => {
    const board = await start();
    board.gate.onUpgrade(
      '/admin/v1/scope',
      (_request, socket) => void socket.end('HTTP/1.1 101 Fine\r\n\r\n'),
    );
    const scope = '/admin/v1/scope';
    expect(await ended(await half(board.port, upgrade(scope)))).toContain('HTTP/1.1 401');
    expect(await ended(await half(board.port, upgrade(`${scope}?access_token=x`)))).toContain('HTTP/1.1 401');
    for (const request of [
      upgrade(`${scope}?access_token=${ADMIN}`),
      upgrade(scope, `authorization: Bearer ${ADMIN}\r\n`),
      upgrade(scope, `cookie: a=b; mag_session=${ADMIN}\r\n`),
    ]) {
      expect(await ended(await half(board.port, request))).toContain('101 Fine');
    }
  });

  it('whose handler fails is refused without detail, and logged', async () => {
    const board = await start();
    board.gate.onUpgrade('/realtime/v1/websocket', () => Promise.reject(new Error('the secret cause')));
    const text = await ended(await half(board.port, upgrade(`/p/${REF}/realtime/v1/websocket`)));
    expect(text).toContain('HTTP/1.1 500');
    expect(text).not.toContain('secret');
    expect(JSON.stringify(board.logged)).toContain('the secret cause');
  });
});

describe('a drain', () => {
  it('finishes what is in flight, says that the connection closes, and takes nothing new', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const board = await start([], { hooks: { executed: [() => held] } });
    board.engine.create('todos', ['id']);
    const inFlight = board.get(`/p/${REF}/rest/v1/todos`, { apikey: SERVICE });
    await until(() => board.gate.stats().sockets === 1 && board.gate.stats().halfOpen === 0);
    const drained = board.gate.drain();
    await expect(board.get('/livez')).rejects.toThrow();
    release?.();
    const reply = await inFlight;
    expect([reply.status, reply.headers.get('connection')]).toEqual([200, 'close']);
    await drained;
    expect(board.gate.stats().sockets).toBe(0);
  });

  it('cuts what does not finish in time', async () => {
    const board = await start([], { drainSeconds: 0.05, hooks: { executed: [() => new Promise(() => {})] } });
    board.engine.create('todos', ['id']);
    const inFlight = board.get(`/p/${REF}/rest/v1/todos`, { apikey: SERVICE });
    const failed = expect(inFlight).rejects.toThrow();
    await until(() => board.gate.stats().sockets === 1 && board.gate.stats().halfOpen === 0);
    await board.gate.drain();
    await failed;
  });
});

describe('a port that is taken', () => {
  it('is an error that names it', async () => {
    const board = await start();
    const other = await startGate([], {}, board.port).catch((error: unknown) => error);
    expect(other).toMatchObject({
      code: 'MAG_PORT_IN_USE',
      message: `Port ${board.port} on 127.0.0.1 is in use`,
    });
  });
});

describe('a body that is too large', () => {
  it.each(['content-length: 20000000', 'transfer-encoding: chunked'])(
    'is answered and read to its end, so that a client that only writes hears of it (%s)',
    async (framing) => {
      const board = await start();
      const head = `POST /p/${REF}/rest/v1/todos HTTP/1.1\r\nhost: x\r\napikey: ${SERVICE}\r\ncontent-type: application/json\r\n`;
      const socket = await half(board.port, `${head}${framing}\r\n\r\n`);
      const failures: unknown[] = [];
      socket.removeAllListeners('error').on('error', (error) => failures.push(error));
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      const piece = ' '.repeat(1_000_000);
      const chunk = framing.startsWith('content') ? piece : `${piece.length.toString(16)}\r\n${piece}\r\n`;
      for (let sent = 0; sent < 20; sent += 1) {
        await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
      }
      if (!framing.startsWith('content')) socket.write('0\r\n\r\n');
      socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
      await until(() => text.includes('HTTP/1.1 200') || failures.length > 0);
      expect(failures).toEqual([]);
      expect(text).toMatch(/^HTTP\/1.1 413 [\s\S]*MAG_BODY_TOO_LARGE/);
    },
  );
});
