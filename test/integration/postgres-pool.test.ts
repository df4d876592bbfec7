import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PermitClient } from '../../src/actors/storage/permit-client.ts';
import { PermitOwner } from '../../src/actors/storage/permit-owner.ts';
import { PgConnection } from '../../src/actors/storage/postgres/connection.ts';
import { openPostgresEngine, type PostgresConnection } from '../../src/actors/storage/postgres/engine.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

let pg: EmbeddedPostgres;
beforeAll(async () => {
  pg = await embeddedPostgres();
  await pg.provider.provision('shared');
});
afterAll(() => pg.stop());

/** Two edge workers' engines on one project, over one owner of the permits. */
async function twoEdges(perKey: number) {
  const clients = new Map<string, PermitClient>();
  const owner = new PermitOwner({
    ...{ perKey, total: 80, waiters: 100, host: pg.host },
    holders: {
      idle: async (who, wanted) => clients.get(who)?.idle(wanted) ?? [],
      take: (who, count) => clients.get(who)?.take(count),
      recall: (who, key, urgency, wanted) => clients.get(who)?.recalled(key, urgency, wanted),
    },
  });
  const connection = (await pg.provider.connect('shared')) as PostgresConnection; // The provider makes no other.
  const edge = (name: string) => {
    const permits = new PermitClient(pg.host, {
      lease: (key, wanted, waitMs) => owner.lease(name, key, wanted, waitMs),
      release: (key, count) => owner.release(name, key, count),
    });
    clients.set(name, permits);
    return openPostgresEngine({ connection, ref: 'shared', host: pg.host, log: silentLog, permits });
  };
  return { owner, first: edge('edge-1'), second: edge('edge-2') };
}
const sleep = (engine: ReturnType<typeof openPostgresEngine>, seconds: number, budgetMs = 4_000) =>
  engine.sql('SELECT pg_sleep($1::float8)', [seconds], pg.context('shared', budgetMs));

describe('connections of one project over two edge workers', () => {
  it('never exceed the project’s number, and idle ones move to whoever waits', async () => {
    const { owner, first, second } = await twoEdges(3);
    await Promise.all(Array.from({ length: 9 }, () => sleep(first, 0.01)));
    expect(owner.usedBy('shared')).toBe(3);
    await Promise.all([sleep(second, 0.01), sleep(second, 0.01), sleep(first, 0.01)]);
    expect(owner.usedBy('shared')).toBeLessThanOrEqual(3);
    await first.close();
    await second.close();
    expect(owner.used).toBe(0);
  });

  it('are shared also where the first worker is never idle', async () => {
    const { owner, first, second } = await twoEdges(2);
    let going = true;
    const busy = Array.from({ length: 6 }, async () => {
      while (going) await sleep(first, 0.01);
    });
    await sleep(first, 0.05);
    await Promise.all([sleep(second, 0.01, 1_500), sleep(second, 0.01, 1_500), sleep(second, 0.01, 1_500)]);
    going = false;
    await Promise.all(busy);
    await Promise.all([first.close(), second.close()]);
    expect(owner.used).toBe(0);
  });
});

describe('a server without room for more', () => {
  it('goes on serving through the connections there are, and says 503 where there are none', async () => {
    const { first, second } = await twoEdges(10);
    const { role, options: _, ...admin } = await pg.provider.adminConnection('shared');
    const connection = await PgConnection.open({ ...admin, database: 'postgres' });
    await sleep(first, 0);
    await connection.rows(`ALTER ROLE "${role}" CONNECTION LIMIT 1`);
    await Promise.all(Array.from({ length: 8 }, () => sleep(first, 0.02)));
    await expect(sleep(second, 0)).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503 });
    await connection.rows(`ALTER ROLE "${role}" CONNECTION LIMIT 20`);
    await sleep(second, 0);
    await Promise.all([first.close(), second.close(), connection.end()]);
  });
});

describe('closing a session', () => {
  it('lets what runs finish, ends what takes too long, and refuses what comes after', async () => {
    const { first } = await twoEdges(3);
    const short = sleep(first, 0.2);
    const long = sleep(first, 60, 30_000).catch((error: unknown) => error);
    await sleep(first, 0.05);
    const closing = first.close();
    await expect(sleep(first, 0)).rejects.toMatchObject({ status: 503 });
    await short;
    await closing;
    expect(await long).toMatchObject({ status: 503 });
  });
});
