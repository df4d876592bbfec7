import { describeError, MagError } from '../../errors.ts';
import { MIGRATIONS_TABLE } from '../../protocol/migrations.ts';
import type { Row } from '../../protocol/query.ts';
import type { ProjectClient } from '../project-client.ts';
import type { MigrationFile } from './migration-files.ts';

/** A migration as the project's own table remembers it. */
interface Applied {
  readonly version: string;
  readonly name: string;
  readonly checksum: string;
  readonly applied_at: string | null;
}

export interface MigrationStatus {
  readonly version: string;
  readonly name: string;
  /** `changed`: its file is not the one that was applied; `missing`: it has none any more; `begun`: cut off half way. */
  readonly state: 'applied' | 'pending' | 'changed' | 'missing' | 'begun';
  readonly appliedAt: string | null;
}

const TABLE = MIGRATIONS_TABLE;
const NOW = 'CURRENT_TIMESTAMP';
const CREATE = `CREATE TABLE IF NOT EXISTS ${TABLE} (version varchar(18) PRIMARY KEY, name varchar(200) NOT NULL, checksum varchar(64) NOT NULL, applied_at timestamp NULL)`;
/**
 * On PostgreSQL what is made in public is the REST roles' too, and under `policies` any key could have a migration run
 * again. Of two at once the second waits: REVOKE fails where another is at it.
 */
const CLOSE = `DO $close$ DECLARE reader text; BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname IN ('anon', 'authenticated') AND has_table_privilege(oid, '${TABLE}', 'SELECT, INSERT, UPDATE, DELETE')) THEN
    LOCK TABLE ${TABLE} IN SHARE ROW EXCLUSIVE MODE;
    FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') AND has_table_privilege(oid, '${TABLE}', 'SELECT, INSERT, UPDATE, DELETE') LOOP
      EXECUTE format('REVOKE ALL ON ${TABLE} FROM %I', reader);
    END LOOP;
  END IF;
END $close$`;
const UNIQUE_VIOLATION = '23505';
const MADE_MEANWHILE: ReadonlySet<unknown> = new Set([UNIQUE_VIOLATION, '42P07', '42710']);

/** Everything between the quotes is ours: digits, a name of [A-Za-z0-9_-], hex. */
const claim = ({ version, name, checksum }: MigrationFile, appliedAt: string): string =>
  `INSERT INTO ${TABLE} (version, name, checksum, applied_at) VALUES ('${version}', '${name}', '${checksum}', ${appliedAt})`;
const confirm = ({ version }: MigrationFile): string =>
  `UPDATE ${TABLE} SET applied_at = ${NOW} WHERE version = '${version}'`;

/** Comments alone; MySQL runs what stands in one that begins with an exclamation mark. */
const isEmpty = (sql: string): boolean =>
  sql.replaceAll(/--[^\n]*|\/\*(?!M?!)[\s\S]*?\*\/|[\s;]/g, '') === '';

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'body' in error && typeof error.body === 'object' && error.body !== null
    ? Reflect.get(error.body, 'code')
    : undefined;

/**
 * Brings a project's database to what a folder of migrations says. The table of the applied ones is also the lock: a
 * migration begins by its own row, whose key no second run can insert until the first is over.
 */
export class Migrator {
  readonly #project: ProjectClient;
  readonly #files: readonly MigrationFile[];

  /** Throws MAG_ENGINE_UNSUPPORTED where the project's engine has no SQL. */
  constructor(project: ProjectClient, files: readonly MigrationFile[]) {
    const { engine } = project;
    if (engine === 'mongodb' || engine === 'redis')
      throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: 'run SQL migrations' });
    this.#project = project;
    this.#files = files;
  }

  async status(): Promise<readonly MigrationStatus[]> {
    await this.#ensureTable();
    const applied = await this.#applied();
    const known = this.#files.map(({ version, name, checksum }): MigrationStatus => {
      const row = applied.get(BigInt(version));
      if (row === undefined) return { version, name, state: 'pending', appliedAt: null };
      const state = row.applied_at === null ? 'begun' : row.checksum === checksum ? 'applied' : 'changed';
      return { version, name, state, appliedAt: row.applied_at };
    });
    const versions = new Set(this.#files.map(({ version }) => BigInt(version)));
    const missing = [...applied].filter(([version]) => !versions.has(version));
    const gone = missing.map(
      ([, row]): MigrationStatus => ({
        ...{ version: row.version, name: row.name },
        ...{ state: 'missing', appliedAt: row.applied_at },
      }),
    );
    return [...known, ...gone].sort((one, other) => Number(BigInt(one.version) - BigInt(other.version)));
  }

  /**
   * Applies what is pending, in order, each in one transaction (but for those that say otherwise, and on MySQL, whose
   * DDL commits by itself). Tells of each when it is done. Throws MAG_MIGRATION_CONFLICT where what was applied is not
   * what the folder holds, and the database's own error.
   */
  async up(done: (file: MigrationFile) => void): Promise<void> {
    const states = await this.status();
    const wrong = states.find(({ state }) => state !== 'applied' && state !== 'pending');
    if (wrong !== undefined) throw conflict(wrong);
    const firstPending = states.findIndex(({ state }) => state === 'pending');
    const late = states.slice(firstPending + 1).find(({ state }) => state === 'applied');
    if (firstPending !== -1 && late !== undefined) {
      const { version, name } = states[firstPending] ?? late;
      const problem = `it was not there when ${late.version}_${late.name} was applied`;
      throw new MagError('MAG_MIGRATION_CONFLICT', { migration: `${version}_${name}`, problem });
    }
    const pending = new Set(states.filter(({ state }) => state === 'pending').map(({ version }) => version));
    for (const file of this.#files) {
      if (!pending.has(file.version)) continue;
      await this.#apply(file);
      done(file);
    }
  }

  async #apply(file: MigrationFile): Promise<void> {
    // What `mag migrate new` made and nobody has written yet: applied as it is, its SQL would come too late.
    if (isEmpty(file.sql))
      throw new MagError('MAG_MIGRATION_CONFLICT', {
        migration: `${file.version}_${file.name}`,
        problem: 'its file holds no statement yet',
      });
    try {
      if (file.alone || this.#project.engine === 'mysql') await this.#applyAlone(file);
      else await this.#sql(`${claim(file, NOW)};\n${file.sql}`);
    } catch (error) {
      const migration = `${file.version}_${file.name}`;
      if (codeOf(error) !== UNIQUE_VIOLATION || !(await this.#isTaken(file)))
        throw new MagError(
          'MAG_MIGRATION_FAILED',
          { migration, why: describeError(error) },
          { cause: error },
        );
      const problem = 'another run has applied it, or is about to';
      throw new MagError('MAG_MIGRATION_CONFLICT', { migration, problem }, { cause: error });
    }
  }

  /** Outside a transaction: what fails half way stays `begun`, and says so, until somebody has looked at it. */
  async #applyAlone(file: MigrationFile): Promise<void> {
    await this.#sql(claim(file, 'NULL'));
    await this.#sql(file.sql);
    await this.#sql(confirm(file));
  }

  /** IF NOT EXISTS is no lock: of two runs that make the table at once, one is told that it is there. */
  async #ensureTable(): Promise<void> {
    const make = this.#project.engine === 'postgres' ? `${CREATE};\n${CLOSE}` : CREATE;
    try {
      await this.#sql(make);
    } catch (error) {
      if (!MADE_MEANWHILE.has(codeOf(error))) throw error;
      await this.#sql(make);
    }
  }

  async #isTaken({ version }: MigrationFile): Promise<boolean> {
    return (await this.#applied()).has(BigInt(version));
  }

  async #applied(): Promise<ReadonlyMap<bigint, Applied>> {
    const rows = await this.#sql(`SELECT version, name, checksum, applied_at FROM ${TABLE}`);
    return new Map(
      rows.map((row) => [
        BigInt(String(row.version)),
        {
          ...{ version: String(row.version), name: String(row.name), checksum: String(row.checksum) },
          applied_at: row.applied_at === null ? null : String(row.applied_at),
        },
      ]),
    );
  }

  async #sql(query: string): Promise<readonly Row[]> {
    // The outside contract's shape.
    const reply = (await this.#project.request('/sql/v1', { method: 'POST', body: { query } })) as {
      readonly rows: readonly Row[];
    };
    return reply.rows;
  }
}

function conflict({ version, name, state }: MigrationStatus): MagError {
  const problems: Readonly<Record<string, string>> = {
    changed:
      'its file has changed since it was applied: put it back as it was, and make what is new a migration of its own',
    missing: 'it was applied, and its file is gone: put it back',
    begun: `another run is at it, or it was cut off half way: when you have looked at what it did, delete its row from ${TABLE}, or set its applied_at`,
  };
  return new MagError('MAG_MIGRATION_CONFLICT', {
    migration: `${version}_${name}`,
    problem: problems[state] ?? state,
  });
}
