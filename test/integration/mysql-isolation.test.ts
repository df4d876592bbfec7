import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { MysqlConnection } from '../../src/actors/storage/mysql/connection.ts';
import { externalMysql, type MysqlRig } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';

describe.skipIf(!service('mariadb').available)('a project on MySQL', () => {
  let mysql: MysqlRig;
  let tenant: Engine;
  let neighbour: Engine;
  let neighbourName: string;

  const sql = async (text: string, params: readonly unknown[] = [], engine = tenant) => {
    const result = await engine.sql(text, params, mysql.context('tenant'));
    return JSON.parse(result.json) as { rows: Record<string, unknown>[] };
  };

  beforeAll(async () => {
    mysql = externalMysql();
    tenant = await mysql.engine('tenant');
    neighbour = await mysql.engine('neighbour');
    await sql(`CREATE TABLE secret (a text); INSERT INTO secret VALUES ('theirs')`, [], neighbour);
    neighbourName = (await mysql.connection('neighbour')).database;
  });
  afterAll(() => mysql.stop());

  describe('tenant SQL cannot leave its database', () => {
    const escapes: Record<string, string> = {
      'reading a neighbour’s table': 'SELECT * FROM `NEIGHBOUR`.secret',
      'writing a neighbour’s table': `INSERT INTO \`NEIGHBOUR\`.secret VALUES ('x')`,
      'entering a neighbour’s database': 'USE `NEIGHBOUR`',
      'dropping a neighbour’s database': 'DROP DATABASE `NEIGHBOUR`',
      'making a view on a neighbour’s table': 'CREATE VIEW v AS SELECT * FROM `NEIGHBOUR`.secret',
      'making a table where a wildcard of a grant would allow it': 'CREATE TABLE `WILDCARD`.t (a int)',
      'reading a neighbour’s idempotency records': 'SELECT * FROM `NEIGHBOUR$m`.records',
      'making its idempotency records another thing': 'DROP TABLE `TENANT$m`.records',
      'reading the records of its idempotency keys': 'SELECT * FROM `TENANT$m`.records',
      'writing them': `INSERT INTO \`TENANT$m\`.records VALUES ('k', 'f', 1, 'r')`,
      'changing them': 'UPDATE `TENANT$m`.records SET expires = 0',
      'taking them away': 'DELETE FROM `TENANT$m`.records',
      'emptying them': 'TRUNCATE `TENANT$m`.records',
      'locking them': 'LOCK TABLES `TENANT$m`.records READ',
      'watching them':
        'CREATE TRIGGER `TENANT$m`.spy BEFORE INSERT ON `TENANT$m`.records FOR EACH ROW SET NEW.k = 1',
      'reading what calls on them are signed with': 'SELECT * FROM `TENANT$m`.secret',
      'claiming a key without the board’s signature': `CALL \`TENANT$m\`.claim('', 'k', 'f', 9999999999999, 0, 1)`,
      'settling a key without the board’s signature': `CALL \`TENANT$m\`.settle('', 'k', 'r')`,
      'making its own of what claims a key': 'CREATE OR REPLACE PROCEDURE `TENANT$m`.claim() SELECT 1',
      'dropping what claims a key': 'DROP PROCEDURE `TENANT$m`.claim',
      'reading password hashes': 'SELECT * FROM mysql.global_priv',
      'reading the users': 'SELECT * FROM mysql.user',
      'making a database': 'CREATE DATABASE another',
      'making a user': `CREATE USER evil IDENTIFIED BY 'x'`,
      'granting its rights': 'GRANT SELECT ON `TENANT`.* TO `NEIGHBOUR`',
      'granting itself more': 'GRANT FILE ON *.* TO CURRENT_USER',
      'lifting its own limits': 'ALTER USER CURRENT_USER WITH MAX_USER_CONNECTIONS 0',
      'becoming another user': `SET SESSION AUTHORIZATION root@localhost`,
      'taking another role': 'SET ROLE root',
      'writing a file': `SELECT 1 INTO OUTFILE '/tmp/mag-escape'`,
      'dumping to a file': `SELECT 1 INTO DUMPFILE '/tmp/mag-escape'`,
      'loading a file of the server': `LOAD DATA INFILE '/etc/passwd' INTO TABLE own`,
      'loading a file of the board': `LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE own`,
      'changing the server': 'SET GLOBAL max_connections = 1',
      'switching the log off': 'SET sql_log_bin = 0',
      'shutting the server down': 'SHUTDOWN',
      'flushing tables of all': 'FLUSH TABLES WITH READ LOCK',
      'installing a plugin': `INSTALL SONAME 'metadata_lock_info'`,
      'making a function of machine code': `CREATE FUNCTION sys_exec RETURNS INTEGER SONAME 'lib_mysqludf_sys.so'`,
      'following the binary log': 'SHOW BINARY LOGS',
      'making a federated server': `CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')`,
      'making an event that runs on by itself': 'CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO SELECT 1',
      'running as somebody else': `CREATE DEFINER = root@localhost VIEW w AS SELECT 1`,
    };
    it.each(Object.entries(escapes))('refuses %s', async (_what, template) => {
      await sql('CREATE TABLE IF NOT EXISTS own (a text)');
      const own = (await mysql.connection('tenant')).database;
      const statement = template
        .replaceAll('NEIGHBOUR', neighbourName)
        .replaceAll('TENANT', own)
        .replaceAll('WILDCARD', own.replaceAll('_', 'x'));
      await expect(sql(statement)).rejects.toMatchObject({
        code: expect.stringMatching(/^(42501|42601|42000|28000|0P000)$/),
      });
      expect((await sql('SELECT * FROM secret', [], neighbour)).rows).toEqual([{ a: 'theirs' }]);
    });

    it('sees no other database, no other user’s connections, and no file', async () => {
      const own = (await mysql.connection('tenant')).database;
      await neighbour.sql('SELECT 1', [], mysql.context('neighbour'));
      expect((await sql('SHOW DATABASES')).rows.map((row) => row.Database)).not.toContain(neighbourName);
      const { rows: seen } = await sql(`SELECT DISTINCT table_schema s FROM information_schema.tables
      WHERE table_schema LIKE 'mag%' UNION SELECT DISTINCT user FROM information_schema.processlist`);
      expect(new Set(seen.map((row) => row.s))).toEqual(new Set([own]));
      expect((await sql(`SELECT LOAD_FILE('/etc/passwd') AS f`)).rows).toEqual([{ f: null }]);
    });

    it('keeps the records of idempotency keys from those who come with credentials of their own', async () => {
      const claim = { key: 'k', fingerprint: 'f', now: 0, expires: 10 };
      const claimed = (): Promise<unknown> | undefined =>
        tenant.transaction?.(async ({ idempotency }) => {
          const known = await idempotency?.claim(claim);
          if (known === null) await idempotency?.settle('k', 'r: “é”');
          return known;
        }, mysql.context('tenant'));
      expect(await claimed()).toBeNull();
      const own = await mysql.connection('tenant');
      for (const mode of ['read', 'write'] as const) {
        const { user, password } = await mysql.provider.access.grant('tenant', mode, mode, `${mode}-secret`);
        const connection = await MysqlConnection.open({ ...own, user, password });
        for (const statement of [
          ...['SELECT * FROM `TENANT$m`.records', 'DELETE FROM `TENANT$m`.records'],
          `CALL \`TENANT$m\`.settle('', 'k', 'x')`,
        ])
          await expect(connection.rows(statement.replaceAll('TENANT', own.database))).rejects.toMatchObject({
            errno: expect.toSatisfy((errno) => [1142, 1370].includes(errno)),
          });
        await connection.end();
      }
      expect(await claimed()).toEqual({ fingerprint: 'f', result: 'r: “é”' });
    });

    it('brings a project whose user an older version let at its records up to this one', async () => {
      const own = (await mysql.connection('tenant')).database;
      const admin = await mysql.admin();
      await admin.rows(`DROP PROCEDURE \`${own}$m\`.claim`);
      await admin.rows(`GRANT SELECT, INSERT, UPDATE, DELETE ON \`${own}$m\`.records TO \`${own}\`@'%'`);
      await mysql.anotherProvider().connect('tenant');
      await expect(sql(`SELECT * FROM \`${own}$m\`.records`)).rejects.toMatchObject({ code: '42501' });
      const known = await tenant.transaction?.(
        async ({ idempotency }) => idempotency?.claim({ key: 'k', fingerprint: 'f', now: 0, expires: 10 }),
        mysql.context('tenant'),
      );
      expect(known).toEqual({ fingerprint: 'f', result: 'r: “é”' });
    });

    it('ends nobody else’s connection', async () => {
      const other = await MysqlConnection.open(await mysql.connection('neighbour'));
      await expect(sql(`KILL ${other.id}`)).rejects.toMatchObject({ code: '42501' });
      expect(await other.rows('SELECT 1')).toEqual([[1]]);
      await other.end();
    });

    it('refuses to open any other database, with its own user and password', async () => {
      const own = await mysql.connection('tenant');
      for (const database of [neighbourName, 'mysql', 'sys'])
        await expect(MysqlConnection.open({ ...own, database })).rejects.toMatchObject({ errno: 1044 });
    });

    it('still lets a tenant do what is its own: views, routines, triggers, temporary tables', async () => {
      await sql('CREATE TABLE t (a int, b int); CREATE VIEW big AS SELECT a FROM t WHERE a > 1');
      await sql('CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2');
      await sql(
        'CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.b = twice(NEW.a); SET NEW.a = NEW.a; END',
      );
      await sql('CREATE PROCEDURE fill() BEGIN INSERT INTO t (a) VALUES (2); SELECT a, b FROM t; END');
      expect((await sql('CALL fill()')).rows).toEqual([{ a: 2, b: 4 }]);
      expect((await sql('SELECT * FROM big')).rows).toEqual([{ a: 2 }]);
    });
  });

  describe('a pooled connection carries nothing from one statement to the next', () => {
    it('forgets settings, variables, temporary tables, locks, the database and prepared statements', async () => {
      await sql(`SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SET time_zone = '+09:00'; SET @mine = 7;
      CREATE TEMPORARY TABLE left_behind (a int); PREPARE q FROM 'SELECT 1'; DO GET_LOCK('mine', 0);
      USE information_schema`);
      const { rows } = await sql(
        `SELECT @@sql_mode LIKE '%NO_BACKSLASH%' AS mode, @@time_zone AS zone, @mine AS mine,
       IS_FREE_LOCK('mine') AS free, DATABASE() AS base`,
      );
      const { database } = await mysql.connection('tenant');
      expect(rows).toEqual([{ mode: 0, zone: '+00:00', mine: null, free: 1, base: database }]);
      await expect(sql('SELECT * FROM left_behind')).rejects.toMatchObject({ code: '42P01' });
      await expect(sql('EXECUTE q')).rejects.toMatchObject({ code: '42000' });
    });

    it('refuses to leave a transaction open, and undoes it', async () => {
      await sql('CREATE TABLE kept (a int)');
      await expect(sql('BEGIN; INSERT INTO kept VALUES (1)')).rejects.toMatchObject({
        code: 'MAG_STATEMENT_FORBIDDEN',
      });
      await expect(sql('SET autocommit = 0; INSERT INTO kept VALUES (1)')).rejects.toMatchObject({
        code: 'MAG_STATEMENT_FORBIDDEN',
      });
      expect((await sql('SELECT count(*) AS n FROM kept')).rows).toEqual([{ n: 0 }]);
      await sql('BEGIN; INSERT INTO kept VALUES (1); COMMIT');
      expect((await sql('SELECT count(*) AS n FROM kept')).rows).toEqual([{ n: 1 }]);
    });

    it('refuses parameters that are not as many as the statement takes', async () => {
      await expect(sql('SELECT ?, ?', [1])).rejects.toMatchObject({ code: '42P02' });
      await expect(sql('SELECT ?', [1, 2])).rejects.toMatchObject({ code: '42P02' });
      await expect(sql(`SELECT '?' AS a, 1 -- ?`, [1])).rejects.toMatchObject({ code: '42P02' });
      expect((await sql(`SELECT '?' AS a, ? AS b`, [1])).rows).toEqual([{ a: '?', b: 1 }]);
      const values = [1, -2, true, 0.5, 9_007_199_254_740_993n, 'x', null];
      const { json } = await tenant.sql(
        'SELECT ? a, ? b, ? c, ? d, ? e, ? f, ? g',
        values,
        mysql.context('tenant'),
      );
      expect(json).toContain('[{"a":1,"b":-2,"c":1,"d":0.5,"e":9007199254740993,"f":"x","g":null}]');
    });
  });
});
