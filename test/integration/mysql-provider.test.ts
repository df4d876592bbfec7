import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { MysqlConnection } from '../../src/actors/storage/mysql/connection.ts';
import { MysqlProvider } from '../../src/actors/storage/mysql/provider.ts';
import { externalMysql, type MysqlRig } from '../support/mysql.ts';
import { service } from '../support/services/index.ts';

describe.skipIf(!service('mariadb').available)('projects in a MariaDB server', () => {
  let mysql: MysqlRig;
  beforeAll(() => {
    mysql = externalMysql();
  });
  afterAll(() => mysql.stop());

  const works = async (ref: string): Promise<boolean> => {
    const engine = await mysql.engine(ref);
    const { json } = await engine.sql(
      'CREATE TABLE t (a int); DROP TABLE t; SELECT 1 AS one',
      [],
      mysql.context(ref),
    );
    await engine.close();
    return json.includes('[{"one":1}]');
  };

  /** What of a project is in the server. */
  async function leftovers(ref: string): Promise<readonly string[]> {
    const admin = await mysql.admin();
    const { database } = (await mysql.provider.connect(ref)) as { database: string };
    const rows = await admin.rows(
      `SELECT 'database' FROM information_schema.schemata WHERE schema_name = '${database}'
     UNION ALL SELECT 'records' FROM information_schema.schemata WHERE schema_name = '${database}$m'
     UNION ALL SELECT 'user' FROM mysql.user WHERE user = '${database}'
     UNION ALL SELECT 'rights' FROM mysql.db WHERE user = '${database}'
     UNION ALL SELECT 'rights' FROM mysql.procs_priv WHERE user = '${database}'`,
    );
    return rows.map(([what]) => String(what));
  }

  describe('a project on MySQL', () => {
    it('is made again without harm, keeps its data, and is dropped again without an error', async () => {
      const engine = await mysql.engine('twice');
      await engine.sql('CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)', [], mysql.context('twice'));
      await mysql.provider.provision('twice');
      const { json } = await engine.sql('SELECT a FROM kept', [], mysql.context('twice'));
      expect(JSON.parse(json).rows).toEqual([{ a: 1 }]);
      expect(await leftovers('twice')).toEqual(['database', 'records', 'user', 'rights', 'rights', 'rights']);
      await mysql.provider.drop('twice');
      await mysql.provider.drop('twice');
      expect(await leftovers('twice')).toEqual([]);
    });

    it('has a connection limit, and a password that stands in no statement', async () => {
      const admin = await mysql.admin();
      const { user, password } = await mysql.connection('limited');
      const [[shown] = []] = await admin.rows(`SHOW CREATE USER '${user}'@'%'`);
      expect(String(shown)).toMatch(/MAX_USER_CONNECTIONS \d+/);
      expect(String(shown)).not.toContain(password);
    });

    it('is not there for a reference that no name could be made of', async () => {
      await expect(mysql.provider.provision('no`name')).rejects.toMatchObject({
        code: 'MAG_PROJECT_NOT_FOUND',
      });
    });

    it('that nobody knows any more is reclaimed, and what is another board’s is not', async () => {
      const other = externalMysql();
      await other.provider.provision('theirs');
      await mysql.provider.provision('known');
      await mysql.provider.provision('unknown');
      const { database } = await mysql.connection('unknown');
      expect(await mysql.provider.reclaim(new Set(['known', 'limited']))).toEqual([database]);
      expect(await mysql.provider.reclaim(new Set(['known', 'limited']))).toEqual([]);
      expect(await other.provider.reclaim(new Set(['theirs']))).toEqual([]);
      await other.stop();
    });
  });

  describe('provisioning cut off at each of its steps', () => {
    const STEPS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    let statements: string[];
    /** Cuts the connection before statement number `at` that changes the server. */
    const cutAt = (at: number) => {
      statements = [];
      const rows = MysqlConnection.prototype.rows;
      vi.spyOn(MysqlConnection.prototype, 'rows').mockImplementation(async function (
        this: MysqlConnection,
        ...args
      ) {
        if (/^(CREATE|ALTER|GRANT|DROP)/.test(args[0])) {
          if (statements.length === at) {
            this.destroy();
            throw new Error('cut off');
          }
          statements.push(args[0]);
        }
        return rows.apply(this, args);
      });
    };
    beforeEach(() => {
      statements = [];
    });
    afterEach(() => vi.restoreAllMocks());

    it.each(STEPS)('after %d steps it is finished by the next call', async (at) => {
      cutAt(at);
      await expect(mysql.provider.provision(`cut${at}`)).rejects.toMatchObject({
        code: 'MAG_ENGINE_UNAVAILABLE',
      });
      expect(statements).toHaveLength(at);
      vi.restoreAllMocks();
      expect(await works(`cut${at}`)).toBe(true);
      await mysql.provider.drop(`cut${at}`);
      expect(await leftovers(`cut${at}`)).toEqual([]);
    });

    it.each(STEPS)('after %d steps it is undone by reclaim', async (at) => {
      cutAt(at);
      await mysql.provider.provision(`gone${at}`).catch(() => {});
      vi.restoreAllMocks();
      await mysql.provider.reclaim(new Set(['known', 'limited']));
      expect(await leftovers(`gone${at}`)).toEqual([]);
    });

    it.each([0, 1, 2])('dropping cut off after %d steps is finished by the next call', async (at) => {
      await mysql.provider.provision(`drop${at}`);
      cutAt(at);
      await mysql.provider.drop(`drop${at}`).catch(() => {});
      vi.restoreAllMocks();
      await mysql.provider.drop(`drop${at}`);
      expect(await leftovers(`drop${at}`)).toEqual([]);
    });
  });

  describe('availability', () => {
    const provider = (url: string) =>
      new MysqlProvider({ source: { kind: 'external', url }, masterKey: mysql.masterKey });

    it('says which server it is, and that its changes are not followed yet', async () => {
      expect(await mysql.provider.availability()).toMatchObject({
        ...{ engine: 'mysql', available: true, why: null },
        provider: expect.stringMatching(/^external MariaDB 1\d\./),
        feed: { available: false, why: 'changes on mysql are not followed in this version' },
      });
    });

    it('says why not: nothing listens, the password is wrong, the user may not make users', async () => {
      expect(await provider('mysql://root@127.0.0.1:1/').availability()).toMatchObject({
        available: false,
        why: expect.stringContaining('ECONNREFUSED'),
      });
      const { host, port, user, password } = await mysql.connection('limited');
      const url = `mysql://${user}:wrong@${host}:${port}/`;
      expect((await provider(url).availability()).why).toContain('Access denied');
      const poor = provider(`mysql://${user}:${password}@${host}:${port}/`);
      expect((await poor.availability()).why).toContain('CREATE USER');
      await expect(poor.provision('x')).rejects.toMatchObject({
        code: 'MAG_ENGINE_UNAVAILABLE',
        status: 503,
      });
    });
  });
});
