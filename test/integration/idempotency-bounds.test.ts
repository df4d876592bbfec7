import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IdempotencyClaim } from '../../src/actors/storage/engine.ts';
import { MysqlConnection } from '../../src/actors/storage/mysql/connection.ts';
import { MysqlIdempotency } from '../../src/actors/storage/mysql/idempotency.ts';
import type { Run } from '../../src/actors/storage/mysql/session.ts';
import { PgConnection } from '../../src/actors/storage/postgres/connection.ts';
import { PostgresIdempotency } from '../../src/actors/storage/postgres/idempotency.ts';
import { recordsToken } from '../../src/actors/storage/postgres/idempotency-schema.ts';
import { openTenantConnection, type TenantConnection } from '../../src/actors/storage/sqlite/connection.ts';
import { SqliteIdempotency } from '../../src/actors/storage/sqlite/idempotency.ts';
import { LIMITS } from '../../src/limits.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { externalMysql, type MysqlRig } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** Beyond the bound by more than one trim takes; the lowest number expires first. */
const EXCESS = LIMITS.idempotencyTrimEvery * 2 + 500;
const ROWS = LIMITS.idempotencyRecords + EXCESS;
const NOW = 1_000;

const claim = (key: string): IdempotencyClaim => ({
  key,
  fingerprint: 'f',
  now: NOW,
  expires: NOW + ROWS * 2,
});

describe('idempotency records beyond their number on SQLite', () => {
  const board = new SqliteBoard();
  let connection: TenantConnection;
  beforeAll(async () => {
    connection = openTenantConnection({ file: await board.file(), busyTimeout: 0, checkpointPages: 1_000 });
  });
  afterAll(async () => {
    connection.database.close();
    await board.close();
  });

  it('have their table also where the very first claim was undone', () => {
    const records = new SqliteIdempotency(connection);
    for (let time = 0; time < 2; time += 1) {
      connection.database.exec('BEGIN');
      expect(records.claim(claim('undone'), false)).toBeNull();
      connection.database.exec('ROLLBACK');
    }
    expect(records.claim(claim('undone'), false)).toBeNull();
    connection.confinement.asBoard(() => connection.database.exec('DELETE FROM _mag_idempotency'));
  });

  it('go with later ones, the oldest first and no more at a time than come meanwhile, twice over', () => {
    const records = new SqliteIdempotency(connection);
    records.claim(claim('first'), false);
    const ask = (sql: string): unknown =>
      connection.confinement.asBoard(() => Object.values(connection.database.prepare(sql).get() ?? {})[0]);
    connection.confinement.asBoard(() =>
      connection.database.exec(
        `WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < ${ROWS})
         INSERT INTO _mag_idempotency SELECT 'k' || n, 'f', ${NOW} + n, 'r' FROM n`,
      ),
    );
    expect(records.claim(claim('c'), true)).toBeNull();
    const oldest = "SELECT min(expires) FROM _mag_idempotency WHERE key LIKE 'k%'";
    expect(ask(oldest)).toBe(NOW + LIMITS.idempotencyTrimEvery * 2 + 1);
    expect(ask('SELECT count(*) FROM _mag_idempotency')).toBe(ROWS + 2 - LIMITS.idempotencyTrimEvery * 2);
  });
});

describe('idempotency records beyond their number on PostgreSQL', () => {
  let server: EmbeddedPostgres;
  let connection: PgConnection;
  let admin: PgConnection;
  let token: string;
  beforeAll(async () => {
    server = await embeddedPostgres();
    const target = await server.provider.provision('demo');
    if (target.engine !== 'postgres') throw new Error('not PostgreSQL');
    connection = await PgConnection.open(target);
    admin = await PgConnection.open(await server.provider.adminConnection('demo'));
    token = recordsToken(target.password);
  });
  afterAll(async () => {
    await connection.end();
    await admin.end();
    await server.stop();
  });

  it('go with later ones, the oldest first and no more at a time than come meanwhile, twice over', async () => {
    await admin.rows(
      `INSERT INTO _mag_idempotency.records
       SELECT 'k' || n, 'f', ${NOW} + n, 'r' FROM generate_series(1, ${ROWS}) AS n`,
    );
    const records = new PostgresIdempotency((text, values) => connection.rows(text, values), {
      ...{ token, count: LIMITS.idempotencyTrimEvery - 1 },
    });
    await connection.rows('BEGIN');
    expect(await records.claim(claim('c'))).toBeNull();
    await connection.rows('COMMIT');
    const rows = await admin.rows('SELECT min(expires), count(*) FROM _mag_idempotency.records');
    expect(rows).toEqual([
      [String(NOW + LIMITS.idempotencyTrimEvery * 2 + 1), String(ROWS + 1 - LIMITS.idempotencyTrimEvery * 2)],
    ]);
  });
});

describe.skipIf(!service('mariadb').available)('idempotency records beyond their number on MySQL', () => {
  let mysql: MysqlRig;
  let connection: MysqlConnection;
  beforeAll(async () => {
    mysql = externalMysql();
    connection = await MysqlConnection.open(await mysql.connection('demo'));
  });
  afterAll(async () => {
    await connection.end();
    await mysql.stop();
  });

  it('go with later ones, the oldest first and no more at a time than come meanwhile, twice over', async () => {
    const admin = await mysql.admin();
    const table = `\`${connection.target.database}$m\`.records`;
    await admin.rows(
      `INSERT INTO ${table} SELECT CONCAT('k', seq), 'f', ${NOW} + seq, 'r' FROM ${table.replace('records', `seq_1_to_${ROWS}`)}`,
    );
    const run: Run = (statement, sink) => connection.run(statement, sink, 'prepare');
    const records = new MysqlIdempotency(
      { connection, run, tooLarge: () => {} },
      { count: LIMITS.idempotencyTrimEvery - 1 },
    );
    expect(await records.claim(claim('c'))).toBeNull();
    const rows = await admin.rows(`SELECT MIN(expires), COUNT(*) FROM ${table}`);
    expect(rows[0]?.map(Number)).toEqual([
      NOW + LIMITS.idempotencyTrimEvery * 2 + 1,
      ROWS + 1 - LIMITS.idempotencyTrimEvery * 2,
    ]);
  });
});
