import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSlot, feedSlotName, preparePublication } from '../../src/actors/feed/postgres/source.ts';
import { PgConnection } from '../../src/actors/storage/postgres/connection.ts';
import { PostgresProvider } from '../../src/actors/storage/postgres/provider.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

let pg: EmbeddedPostgres;
beforeAll(async () => {
  pg = await embeddedPostgres();
});
afterAll(() => pg.stop());

/** Rows of a statement as the superuser, on the maintenance database unless told otherwise. */
async function admin(text: string, database = 'postgres') {
  const connection = await PgConnection.open({ ...(await pg.address()), database });
  try {
    return await connection.rows(text);
  } finally {
    await connection.end();
  }
}
const nameOf = async (ref: string) => {
  const connection = await pg.provider.connect(ref);
  if (connection.engine !== 'postgres') throw new Error('not PostgreSQL');
  return connection.database;
};
const works = async (ref: string) => {
  const engine = await pg.engine(ref);
  const { json } = await engine.sql(
    'CREATE TABLE IF NOT EXISTS t (a int); SELECT 1 AS one',
    [],
    pg.context(ref),
  );
  await engine.close();
  return JSON.parse(json).rows;
};

describe('provisioning', () => {
  it('gives each project an opaque database and a role without rights beyond it', async () => {
    expect(await works('first')).toEqual([{ one: 1 }]);
    const name = await nameOf('first');
    expect(name).toMatch(/^mag_[0-9a-f]{8}_first$/);
    const [role] =
      await admin(`SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin
      FROM pg_roles WHERE rolname = '${name}'`);
    expect(role).toEqual(['f', 'f', 'f', 'f', 'f', 't']);
  });

  it('finishes the work whichever step a kill cut it off at', async () => {
    const name = await nameOf('cut');
    await admin(`CREATE ROLE "${name}"`);
    expect(await works('cut')).toEqual([{ one: 1 }]);
    await admin(`DROP DATABASE "${name}"`);
    expect(await works('cut')).toEqual([{ one: 1 }]);
    await admin(`ALTER SCHEMA public OWNER TO magmobo`, name);
    expect(await works('cut')).toEqual([{ one: 1 }]);
    await admin(`ALTER ROLE "${name}" PASSWORD 'another'; GRANT CONNECT ON DATABASE "${name}" TO PUBLIC`);
    expect(await works('cut')).toEqual([{ one: 1 }]);
    const [acl] = await admin(`SELECT has_database_privilege('public', '${name}', 'CONNECT')`).catch(() => [
      ['f'],
    ]);
    expect(acl).toEqual(['f']);
  });

  it('keeps data when it is called again, also many times at once', async () => {
    const engine = await pg.engine('again');
    await engine.sql('CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)', [], pg.context('again'));
    await Promise.all(Array.from({ length: 4 }, () => pg.provider.provision('again')));
    const { json } = await engine.sql('SELECT a FROM kept', [], pg.context('again'));
    expect(JSON.parse(json).rows).toEqual([{ a: 1 }]);
  });

  it('makes many projects at once, whose databases are laid out beside one another', async () => {
    const refs = ['one', 'two', 'three'];
    await Promise.all(refs.map((ref) => pg.provider.provision(ref)));
    for (const ref of refs) expect(await works(ref)).toEqual([{ one: 1 }]);
    await Promise.all(refs.map((ref) => pg.provider.drop(ref)));
  });

  it('says whether a project’s database and role are there', async () => {
    expect(await pg.provider.stands('ahead')).toBe(false);
    await pg.provider.provision('ahead');
    expect(await pg.provider.stands('ahead')).toBe(true);
    await admin(`DROP DATABASE "${await nameOf('ahead')}"`);
    expect(await pg.provider.stands('ahead')).toBe(false);
    await pg.provider.drop('ahead');
  });

  it('refuses a reference that is no name', async () => {
    await expect(pg.provider.provision('x"; DROP')).rejects.toMatchObject({ code: 'MAG_PROJECT_NOT_FOUND' });
  });
});

describe('the administrator’s connection', () => {
  it('lets the change feed prepare a project, whose tenant then goes on making tables', async () => {
    const engine = await pg.engine('followed');
    const { engine: _, ...target } = await pg.provider.adminConnection('followed');
    const client = new Client(target);
    await client.connect();
    await preparePublication(client);
    await createSlot(client, feedSlotName('followed'));
    await client.end();
    await engine.sql(
      'CREATE TABLE made (a int); CREATE SCHEMA own; CREATE TABLE own.made AS SELECT 1 AS a; INSERT INTO made VALUES (1)',
      [],
      pg.context('followed'),
    );
    const whole = await admin(
      `SELECT relname FROM pg_class WHERE relreplident = 'f' ORDER BY 1`,
      target.database,
    );
    expect(whole).toEqual([['made'], ['made']]);
    await pg.provider.drop('followed');
    expect(await admin('SELECT slot_name FROM pg_replication_slots')).toEqual([]);
  });
});

describe('dropping', () => {
  it('takes the database with its open sessions, its replication slots and its role, twice if asked twice', async () => {
    const engine = await pg.engine('doomed');
    await engine.sql('SELECT 1', [], pg.context('doomed'));
    const name = await nameOf('doomed');
    const { options: _, ...own } = await pg.provider.adminConnection('doomed');
    await admin(`SELECT pg_create_logical_replication_slot('mag_doomed_feed', 'pgoutput')`, own.database);
    await pg.provider.drop('doomed');
    await pg.provider.drop('doomed');
    const left = await admin(`SELECT datname FROM pg_database WHERE datname = '${name}'
      UNION ALL SELECT rolname FROM pg_roles WHERE rolname = '${name}'
      UNION ALL SELECT slot_name FROM pg_replication_slots`);
    expect(left).toEqual([]);
    await expect(engine.sql('SELECT 1', [], pg.context('doomed'))).rejects.toMatchObject({ status: 503 });
  });

  it('reclaims what belongs to no living project, and leaves another board’s and a stranger’s things alone', async () => {
    const other = new PostgresProvider({
      host: pg.host,
      source: { kind: 'embedded', address: () => pg.address() },
      ...{ masterKey: new Uint8Array(32), log: silentLog },
    });
    await other.provision('theirs');
    await admin('CREATE DATABASE mag_strange');
    await pg.provider.provision('orphan');
    await admin(`DROP DATABASE "${await nameOf('cut')}"`);
    const removed = await pg.provider.reclaim(new Set(['first', 'again']));
    expect([...removed].sort()).toEqual([await nameOf('cut'), await nameOf('orphan')].sort());
    expect(await pg.provider.reclaim(new Set(['first', 'again']))).toEqual([]);
    const left = await admin(`SELECT count(*) FROM pg_database WHERE datname LIKE 'mag%'`);
    expect(left).toEqual([['4']]);
  });
});

describe('an external server by URL', () => {
  const external = async (user: string, password: string) => {
    const { host, port } = await pg.address();
    const url = `postgres://${user}:${password}@${host}:${port}/postgres`;
    return new PostgresProvider({
      host: pg.host,
      source: { kind: 'external', url },
      masterKey: pg.masterKey,
      log: silentLog,
    });
  };

  it('is available where its role may make databases and roles, and says what the feed lacks', async () => {
    await admin(`CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD 'maker'; GRANT CONNECT ON DATABASE postgres TO maker;
      CREATE ROLE nobody_special LOGIN PASSWORD 'x'; GRANT CONNECT ON DATABASE postgres TO nobody_special`);
    const { user, password } = await pg.address();
    expect(await (await external(user, password)).availability()).toMatchObject({
      ...{ available: true, provider: 'external', feed: { available: true } },
    });
    expect(await (await external('maker', 'maker')).availability()).toMatchObject({
      ...{ available: true, feed: { available: false, why: expect.stringContaining('superuser') } },
    });
    expect(await (await external('nobody_special', 'x')).availability()).toMatchObject({
      ...{ available: false, why: expect.stringContaining('CREATEDB') },
    });
    expect(await (await external(user, 'wrong')).availability()).toMatchObject({ available: false });
  });

  it('serves projects of a role that is no superuser', async () => {
    const provider = await external('maker', 'maker');
    const connection = await provider.provision('modest');
    if (connection.engine !== 'postgres') throw new Error('not PostgreSQL');
    const own = await PgConnection.open(connection);
    await own.rows('CREATE TABLE t (a int)');
    await own.end();
    await provider.provision('modest');
    await provider.drop('modest');
  });

  it('says that it cannot be reached', async () => {
    const url = 'postgres://a:b@127.0.0.1:1/postgres';
    const gone = new PostgresProvider({
      host: pg.host,
      source: { kind: 'external', url },
      masterKey: pg.masterKey,
      log: silentLog,
    });
    expect(await gone.availability()).toMatchObject({ available: false });
    await expect(gone.provision('x')).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503 });
  });
});
