import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { MysqlConnection } from '../../src/actors/storage/mysql/connection.ts';
import type { MysqlEngine } from '../../src/actors/storage/mysql/engine.ts';
import { MysqlProvider } from '../../src/actors/storage/mysql/provider.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { type ManagedMysql, managedMysql } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';

describe.skipIf(!service('mariadb').available)('MariaDB as a child of the board', () => {
  let mysql: ManagedMysql;
  let engine: MysqlEngine;
  const lost: string[] = [];
  const REF = 'serving';

  const insert = (a: number) =>
    engine.execute(
      { kind: 'insert', schema: 'public', table: 'kept', rows: [{ a }], missing: 'null' },
      mysql.context(REF),
    );
  const rows = async (text: string) =>
    JSON.parse((await engine.sql(text, [], mysql.context(REF))).json).rows as Record<string, unknown>[];
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  beforeAll(async () => {
    mysql = await managedMysql();
    engine = await mysql.engine(REF, (why) => lost.push(why));
    await rows('CREATE TABLE kept (a int PRIMARY KEY)');
  });
  afterAll(() => mysql.stop());

  describe('a managed server', () => {
    it('knows one administrator, by a password, and no other account or test database', async () => {
      const admin = await mysql.admin();
      const users = await admin.rows(`SELECT DISTINCT user FROM mysql.user WHERE user NOT LIKE 'mag\\_%'`);
      expect(new Set(users.map(([user]) => user))).toEqual(new Set(['magmobo', 'mariadb.sys']));
      expect(await admin.rows(`SHOW DATABASES LIKE 'test%'`)).toEqual([]);
      const address = await mysql.address();
      for (const wrong of [{ user: 'root' }, { user: '' }, {}])
        await expect(
          MysqlConnection.open({ ...address, ...wrong, password: '', database: '' }),
        ).rejects.toMatchObject({ errno: expect.any(Number) });
    });

    it('that lets everybody into a database holds no projects', async () => {
      const admin = await mysql.admin();
      const { host, port, user, password } = await mysql.address();
      const url = `mysql://${user}:${password}@${host}:${port}/`;
      const provider = new MysqlProvider({ source: { kind: 'external', url }, masterKey: mysql.masterKey });
      await admin.rows('CREATE DATABASE meeting');
      await admin.rows('GRANT SELECT, INSERT ON meeting.* TO PUBLIC');
      expect(await provider.availability()).toMatchObject({
        available: false,
        why: expect.stringContaining('rights for everybody'),
      });
      await expect(provider.provision('x')).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE' });
      await admin.rows('REVOKE SELECT, INSERT ON meeting.* FROM PUBLIC');
      await admin.rows('DROP DATABASE meeting');
    });

    it('is recorded while it runs, in a folder that is its own', () => {
      const [child] = mysql.children.list();
      expect(child).toMatchObject({ kind: 'mysql', pid: mysql.server.pid });
      expect(existsSync(join(child?.dataDir ?? '', 'ibdata1'))).toBe(true);
    });
  });

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
      while (acknowledged.size < 100) await pause(5);
      const sleeping = engine
        .sql('SELECT SLEEP(30)', [], mysql.context(REF))
        .catch((error: unknown) => error);
      await pause(20);
      process.kill(mysql.server.pid ?? 0, 'SIGKILL');
      expect(await mysql.server.exited).toMatch(/SIGKILL/);
      expect(await sleeping).toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503, retryAfter: 1 });
      await pause(50);
      await mysql.restart();
      const after = acknowledged.size;
      while (acknowledged.size < after + 50) await pause(5);
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
        process.kill(mysql.server.pid ?? 0, 'SIGKILL');
        await mysql.server.exited;
        await transaction.idempotency?.settle('key', '{}');
      }, mysql.context(REF));
      await expect(halfway).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503 });
      await mysql.restart();
      expect(await rows('SELECT a FROM kept WHERE a < 0')).toEqual([]);
    });

    it('answers 503 while it is away, and gives back every permit', async () => {
      await insert(1_000_001);
      await mysql.server.stop();
      await expect(insert(1_000_002)).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503 });
      await mysql.restart();
      await insert(1_000_003);
      expect(engine.stats().waiting).toBe(0);
      expect(engine.stats().open).toBeLessThanOrEqual(2); // The insert's, and perhaps that of a look at the schema.
    });

    it('that outlived its board is found and stopped', async () => {
      const children = new ManagedChildren(join(mysql.folder, 'run', 'children.json'));
      const survivors = await children.reclaim(mysql.host, silentLog);
      expect(survivors).toMatchObject([{ kind: 'mysql' }]);
      await mysql.server.exited;
      await mysql.restart();
      await insert(1_000_004);
    });

    it.each([1, 6, 15])(
      'while a project is made finishes it when asked again (killed after %d ms)',
      async (ms) => {
        const first = mysql.provider.provision(`made${ms}`).catch((error: unknown) => error);
        await pause(ms);
        process.kill(mysql.server.pid ?? 0, 'SIGKILL');
        await mysql.server.exited;
        await first;
        await mysql.restart();
        const made = await mysql.engine(`made${ms}`);
        const { json } = await made.sql(
          'CREATE TABLE t (a int); SELECT 1 AS one',
          [],
          mysql.context(`made${ms}`),
        );
        expect(JSON.parse(json).rows).toEqual([{ one: 1 }]);
      },
    );
  });

  describe('a statement that runs on', () => {
    it('is ended at the server when its deadline passes or its client goes away, alone or in a transaction', async () => {
      const admin = await mysql.admin();
      const running = async () =>
        (
          await admin.rows(
            `SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(60)%' AND id <> CONNECTION_ID()`,
          )
        ).length;
      const gone = new AbortController();
      const slow = [
        engine.sql('SELECT SLEEP(60)', [], mysql.context(REF, 300)),
        engine.sql('SELECT 1; SELECT SLEEP(60)', [], mysql.context(REF, 300)),
        engine.sql('SELECT SLEEP(60)', [], mysql.context(REF, 10_000, gone.signal)),
      ].map((statement) => statement.catch((error: unknown) => error));
      while ((await running()) < 3) await pause(5);
      gone.abort();
      for (const failure of await Promise.all(slow))
        expect(failure).toMatchObject({ code: '57014', status: 504 });
      while ((await running()) > 0) await pause(5);
      await insert(1_000_005);
    });
  });
});
