import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PostgresEngine } from '../../src/actors/storage/postgres/engine.ts';
import { childrenOf } from '../support/child-processes.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

let pg: EmbeddedPostgres;
let engine: PostgresEngine;
const lost: string[] = [];
const REF = 'serving';

const insert = (a: number) =>
  engine.execute(
    { kind: 'insert', schema: 'public', table: 'kept', rows: [{ a }], missing: 'null' },
    pg.context(REF),
  );
const rows = async (text: string) =>
  JSON.parse((await engine.sql(text, [], pg.context(REF))).json).rows as Record<string, unknown>[];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

beforeAll(async () => {
  pg = await embeddedPostgres();
  engine = await pg.engine(REF, (why) => lost.push(why));
  await rows('CREATE TABLE kept (a int PRIMARY KEY)');
});
afterAll(() => pg.stop());

describe('a server killed with SIGKILL under load', () => {
  it('answers 503 with retry-after, never hangs, works again, and has everything it acknowledged', async () => {
    const acknowledged = new Set<number>();
    const failures: { code: string; status: number; retryAfter: number | null }[] = [];
    let next = 0;
    let going = true;
    const writer = async () => {
      while (going) {
        next += 1;
        const a = next;
        try {
          await insert(a);
          acknowledged.add(a);
        } catch (error) {
          failures.push(error as (typeof failures)[number]);
          await pause(5);
        }
      }
    };
    const writers = Array.from({ length: 8 }, writer);
    while (acknowledged.size < 200) await pause(5);
    const sleeping = engine.sql('SELECT pg_sleep(30)', [], pg.context(REF)).catch((error: unknown) => error);
    await pause(20);
    process.kill(pg.server.pid ?? 0, 'SIGKILL');
    expect(await pg.server.exited).toMatch(/SIGKILL/);
    expect(await sleeping).toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503, retryAfter: 1 });
    await pause(50);
    await pg.restart();
    const after = acknowledged.size;
    while (acknowledged.size < after + 100) await pause(5);
    going = false;
    await Promise.all(writers);
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures)
      expect(failure).toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', retryAfter: 1 });
    expect(lost.length).toBeGreaterThan(0);
    const stored = new Set((await rows('SELECT a FROM kept')).map((row) => row.a));
    expect([...acknowledged].filter((a) => !stored.has(a))).toEqual([]);
  });

  it('tells a transaction whose server died in the middle, also in what is between its operations', async () => {
    const halfway = engine.transaction?.(async (transaction) => {
      await transaction.execute({
        kind: 'insert',
        schema: 'public',
        table: 'kept',
        rows: [{ a: -1 }],
        missing: 'null',
      });
      // The session's own process with it: no farewell, a connection reset under the statement.
      const server = pg.server.pid ?? 0;
      for (const pid of [server, ...childrenOf(server)]) process.kill(pid, 'SIGKILL');
      await transaction.idempotency?.settle('key', '{}');
    }, pg.context(REF));
    await expect(halfway).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503 });
    await pg.server.exited;
    await pg.restart();
    expect(await rows('SELECT a FROM kept WHERE a < 0')).toEqual([]);
  });

  it('answers 503 while a server shuts down and is away', async () => {
    await insert(1_000_001);
    await pg.server.stop();
    await expect(insert(1_000_002)).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503 });
    await pg.restart();
    await insert(1_000_003);
  });
});

describe('a statement that runs on', () => {
  it('is cancelled at its deadline while another project does not notice', async () => {
    const neighbour = await pg.engine('neighbour');
    const minute = engine
      .sql('SELECT pg_sleep(60)', [], pg.context(REF, 300))
      .catch((error: unknown) => error);
    const { json } = await neighbour.sql('SELECT 1 AS one', [], pg.context('neighbour'));
    expect(JSON.parse(json).rows).toEqual([{ one: 1 }]);
    expect(await minute).toMatchObject({ code: '57014', status: 504 });
    expect(await rows(`SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'`)).toEqual([
      { count: 0 },
    ]);
  });

  it('loses its backend where it catches its own cancellation', async () => {
    const stubborn = `DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$`;
    await expect(engine.sql(stubborn, [], pg.context(REF, 100))).rejects.toMatchObject({ code: '57014' });
    const running = `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND pid <> pg_backend_pid()`;
    while ((await rows(running))[0]?.count !== 0) await pause(20);
  });

  it('is cut off where one value floods the connection', async () => {
    const flood = `SELECT repeat('x', 80 * 1024 * 1024) AS a`;
    await expect(engine.sql(flood, [], pg.context(REF, 60_000))).rejects.toMatchObject({
      code: 'MAG_RESULT_TOO_LARGE',
    });
    expect(await rows('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('more requests than connections', () => {
  it('wait their turn, and say so when none becomes free in time', async () => {
    const crowd = Array.from({ length: 40 }, () => engine.sql('SELECT pg_sleep(0.02)', [], pg.context(REF)));
    expect((await Promise.all(crowd)).length).toBe(40);
    const holders = Array.from({ length: 10 }, () => engine.sql('SELECT pg_sleep(1)', [], pg.context(REF)));
    await pause(100);
    await expect(engine.sql('SELECT 1', [], pg.context(REF, 200))).rejects.toMatchObject({
      ...{ code: 'MAG_POOL_TIMEOUT', status: 503, retryAfter: 1 },
    });
    expect(engine.stats()).toMatchObject({ open: 10, idle: 0, waiting: 0, timedOut: 1, refused: 0 });
    await Promise.all(holders);
    expect(engine.stats()).toMatchObject({ open: 10, idle: 10 });
  });
});
