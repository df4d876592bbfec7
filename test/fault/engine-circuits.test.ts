import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineCircuits } from '../../src/actors/edge/engine-circuits.ts';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { openPostgresEngine, type PostgresConnection } from '../../src/actors/storage/postgres/engine.ts';
import { CALL_LIMITS } from '../../src/limits-calls.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

let pg: EmbeddedPostgres;
beforeAll(async () => {
  pg = await embeddedPostgres();
});
afterAll(() => pg.stop());

const circuitOpen = { code: 'MAG_CIRCUIT_OPEN', status: 503, retryAfter: expect.any(Number) };

/** More than a breaker needs to trip, if they counted. */
const MANY = CALL_LIMITS.breakerMinimumCalls;

const openOn = (connection: PostgresConnection, circuits: EngineCircuits, host: Host): Engine => {
  const permits = localPermits({ perKey: 10, total: 80, waiters: 100, host });
  const engine = openPostgresEngine({ connection, ref: 'p', host, log: silentLog, permits });
  return circuits.guard(engine, connection);
};

const connectionOf = async (ref: string): Promise<PostgresConnection> => {
  const connection = await pg.provider.provision(ref);
  if (connection.engine !== 'postgres') throw new Error('not PostgreSQL');
  return connection;
};

describe('the circuit to an engine server', () => {
  it('stays closed whatever a tenant does to its own connections, password and database', async () => {
    const circuits = new EngineCircuits(pg.host, silentLog);
    const connection = await connectionOf('reckless');
    const own = openOn(connection, circuits, pg.host);
    const other = openOn(await connectionOf('calm'), circuits, pg.host);
    const sql = (engine: Engine, text: string) => engine.sql(text, [], pg.context('p'));
    for (let n = 0; n < MANY; n += 1) {
      await expect(sql(own, 'SELECT pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({
        status: 503,
      });
      await expect(sql(own, 'SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    }
    for (const wrong of [{ password: 'wrong' }, { database: 'nowhere' }, { user: 'nobody' }]) {
      const locked = openOn({ ...connection, ...wrong }, circuits, pg.host);
      for (let n = 0; n < MANY; n += 1)
        await expect(sql(locked, 'SELECT 1')).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE' });
      await locked.close();
    }
    expect(circuits.stats()).toMatchObject([{ state: 'closed', openings: 0, refused: 0 }]);
    expect((await sql(other, 'SELECT 1')).rowCount).toBe(1);
    await Promise.all([own.close(), other.close()]);
  });

  it('opens over a server that takes connections and says nothing, and refuses at once from then on', async () => {
    const real = nodeHost();
    // A waiter's five seconds are a quarter of one.
    const hurried: Host = { ...real, setTimer: (ms, callback) => real.setTimer(ms / 20, callback) };
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.on('error', () => {})));
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const { port } = silent.address() as AddressInfo;
    const circuits = new EngineCircuits(hurried, silentLog);
    const target = { ...(await connectionOf('calm')), host: '127.0.0.1', port };
    const engine = openOn(target, circuits, hurried);
    const ask = () => engine.sql('SELECT 1', [], pg.context('p', 60_000));
    const first = await Promise.allSettled(Array.from({ length: 6 }, ask));
    for (const { status, reason } of first as PromiseRejectedResult[])
      expect([status, reason]).toEqual([
        'rejected',
        expect.objectContaining({ code: 'MAG_ENGINE_UNAVAILABLE' }),
      ]);
    await expect(ask()).rejects.toMatchObject(circuitOpen);
    expect(circuits.stats()).toMatchObject([
      { server: `postgres 127.0.0.1:${port}`, state: 'open', openings: 1 },
    ]);
    for (const socket of sockets) socket.destroy();
    silent.close();
    await engine.close();
  });
});

describe('a board whose PostgreSQL goes away', () => {
  let board: TestBoard;
  let shop: NewProject;
  let diary: NewProject;

  beforeAll(async () => {
    const { host, port, user, password } = await pg.address();
    const url = `postgres://${user}:${password}@${host}:${port}/postgres`;
    board = await startTestBoard({ env: { MAG_POSTGRES_URL: url, MAG_EDGE_WORKERS: '1' } });
    shop = await board.createProject('shop', 'postgres');
    diary = await board.createProject('diary', 'sqlite');
    for (const project of [shop, diary])
      expect((await board.sql(project, 'create table t (id integer primary key)')).status).toBe(200);
  });
  afterAll(() => board.stop());

  const call = async (project: NewProject, method: string, path: string, body?: object) => {
    const reply = await fetch(`${project.url}/rest/v1/${path}`, {
      method,
      headers: { apikey: project.keys.service, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return {
      status: reply.status,
      retry: reply.headers.get('retry-after'),
      body: text === '' ? null : JSON.parse(text),
    };
  };
  const circuit = async (): Promise<string> =>
    /^mag_engine_circuit\{.*server="postgres.*\} (\d)$/m.exec(
      await (await fetch(`${board.url}/metrics`)).text(),
    )?.[1] ?? 'none';

  it('refuses its projects at once with 503, serves the others, heals by itself, and has what it acknowledged', async () => {
    const acknowledged: number[] = [];
    let id = 0;
    const insert = async (): Promise<number> => {
      id += 1;
      const own = id;
      const { status } = await call(shop, 'POST', 't', { id: own });
      if (status === 201) acknowledged.push(own);
      return status;
    };
    for (let n = 0; n < 10; n += 1) expect(await insert()).toBe(201);
    expect(await circuit()).toBe('0');
    process.kill(pg.server.pid ?? 0, 'SIGKILL');
    await pg.server.exited;
    const refused = await eventually(async () => {
      const reply = await call(shop, 'GET', 't');
      expect(reply.status).toBe(503);
      expect(Number(reply.retry)).toBeGreaterThan(0);
      return reply.body.code === 'MAG_CIRCUIT_OPEN' && reply;
    }, 'the circuit opens');
    expect(refused.body.message).not.toContain('127.0.0.1');
    expect(Number(await circuit())).toBeGreaterThan(0);
    expect(await insert()).toBe(503);
    for (let n = 1; n <= 20; n += 1) expect((await call(diary, 'POST', 't', { id: n })).status).toBe(201);
    await pg.restart();
    await eventually(async () => (await insert()) === 201, 'it is served again');
    await eventually(async () => (await insert()) === 201 && (await circuit()) === '0', 'the circuit closes');
    const { body } = await call(shop, 'GET', 't?select=id');
    const kept = new Set((body as { id: number }[]).map((row) => row.id));
    expect(acknowledged.filter((each) => !kept.has(each))).toEqual([]);
    expect(await (await fetch(`${board.url}/metrics`)).text()).toMatch(
      /^mag_engine_circuit_openings_total\{.*\} [1-9]/m,
    );
  });
});
