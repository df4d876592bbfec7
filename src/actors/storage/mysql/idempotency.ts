import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { IdempotencyClaim, IdempotencyRecord, IdempotencyRecords } from '../engine.ts';
import type { BoundValue } from './binding.ts';
import { isDuplicate, isLocked } from './failures.ts';
import type { Work } from './session.ts';

/**
 * The database of a project's idempotency records: the administrator's, so that nothing of the tenant's can make it
 * another thing. Writes in both databases are one transaction. No reference holds a `$`.
 */
export const recordsDatabase = (name: string): string => `${name}$m`;

/** Statements that make a project's records. Idempotent. */
export const recordsTable = (database: string): readonly string[] => [
  `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin`,
  `CREATE TABLE IF NOT EXISTS ${database}.records (k varchar(200) PRIMARY KEY, fingerprint varchar(200) NOT NULL,
    expires bigint NOT NULL, result longtext NOT NULL, INDEX (expires)) ENGINE = InnoDB`,
];

/** Whoever meets a lock must not wait: it would hold a connection meanwhile. */
const NO_WAIT = 'SET STATEMENT innodb_lock_wait_timeout = 0 FOR';

/** Records of one project, as one transaction sees them. `claims`: of the whole session. */
export class MysqlIdempotency implements IdempotencyRecords {
  readonly #table: string;
  readonly #work: Work;
  readonly #claims: { count: number };

  constructor(work: Work, claims: { count: number }) {
    this.#table = `\`${recordsDatabase(work.connection.target.database)}\`.records`;
    this.#work = work;
    this.#claims = claims;
  }

  async claim(claim: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    try {
      const known = await this.#take(claim);
      if (known !== null) return known;
    } catch (error) {
      throw isLocked(error) ? new MagError('MAG_IDEMPOTENCY_RUNNING', {}, { cause: error }) : error;
    }
    await this.#sweep(claim);
    return null;
  }

  async settle(key: string, result: string): Promise<void> {
    await this.#run(`UPDATE ${this.#table} SET result = ? WHERE k = ?`, [result, key]);
  }

  async #take({ key, fingerprint, now, expires }: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    const values = [key, fingerprint, String(expires)];
    try {
      await this.#run(
        `${NO_WAIT} INSERT INTO ${this.#table} (k, fingerprint, expires, result) VALUES (?, ?, ?, '')`,
        values,
      );
      return null;
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    const [found] = await this.#run(
      `${NO_WAIT} SELECT fingerprint, result, expires FROM ${this.#table} WHERE k = ? FOR UPDATE`,
      [key],
    );
    // Swept away in between: the next try makes it anew.
    if (found === undefined) throw new MagError('MAG_IDEMPOTENCY_RUNNING');
    if (Number(found[2]) > now) return { fingerprint: String(found[0]), result: String(found[1]) };
    await this.#run(`UPDATE ${this.#table} SET fingerprint = ?, expires = ?, result = '' WHERE k = ?`, [
      ...[fingerprint, String(expires), key],
    ]);
    return null;
  }

  /** A few that have expired go with each that comes; what another transaction holds is left to the next. */
  async #sweep({ key, now }: IdempotencyClaim): Promise<void> {
    await this.#delete('expires <= ? AND k <> ?', LIMITS.idempotencySweep, [String(now), key]);
    this.#claims.count += 1;
    if (this.#claims.count % LIMITS.idempotencyTrimEvery !== 0) return;
    const [row] = await this.#run(`SELECT COUNT(*) FROM ${this.#table}`, []);
    const excess = Number(row?.[0] ?? 0) - LIMITS.idempotencyRecords;
    if (excess > 0) await this.#delete('k <> ?', Math.min(excess, LIMITS.idempotencyTrimEvery * 2), [key]);
  }

  async #delete(where: string, most: number, values: readonly BoundValue[]): Promise<void> {
    const sql = `${NO_WAIT} DELETE FROM ${this.#table} WHERE ${where} ORDER BY expires LIMIT ${most}`;
    await this.#run(sql, values).catch((error: unknown) => {
      if (!isLocked(error)) throw error;
    });
  }

  async #run(sql: string, values: readonly BoundValue[]): Promise<readonly (readonly unknown[])[]> {
    const rows: (readonly unknown[])[] = [];
    await this.#work.run({ sql, values }, { row: (cells) => rows.push(cells) });
    return rows;
  }
}
