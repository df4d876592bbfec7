import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { IdempotencyClaim, IdempotencyRecord, IdempotencyRecords } from '../engine.ts';

/**
 * Where a project's idempotency records are. The administrator's, so that no role of the tenant's can make it another
 * thing; the project's own role may use it, and the roles that requests run as may not. Idempotent.
 * @param role quoted name of the project's own role.
 */
export const idempotencyTable = (role: string): string =>
  `CREATE SCHEMA IF NOT EXISTS _mag_idempotency; REVOKE ALL ON SCHEMA _mag_idempotency FROM PUBLIC;
   CREATE TABLE IF NOT EXISTS _mag_idempotency.records
     (key text PRIMARY KEY, fingerprint text NOT NULL, expires bigint NOT NULL, result text NOT NULL);
   CREATE INDEX IF NOT EXISTS records_expires ON _mag_idempotency.records (expires);
   REVOKE ALL ON _mag_idempotency.records FROM PUBLIC;
   GRANT USAGE ON SCHEMA _mag_idempotency TO ${role};
   GRANT SELECT, INSERT, UPDATE, DELETE ON _mag_idempotency.records TO ${role}`;

const RECORDS = '_mag_idempotency.records';

/**
 * One claim in one round trip. The lock ends with the transaction; whoever does not get it must not wait, since it
 * would hold a connection meanwhile. `$1` key, `$2` fingerprint, `$3` expires, `$4` now.
 */
const CLAIM = `
WITH held AS MATERIALIZED (SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended($1, 0)) AS got),
made AS (
  INSERT INTO ${RECORDS} AS r (key, fingerprint, expires, result)
  SELECT $1, $2, $3::int8, '' FROM held WHERE got
  ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, expires = excluded.expires, result = ''
  WHERE r.expires <= $4::int8 RETURNING 1),
gone AS (
  DELETE FROM ${RECORDS} WHERE key IN (
    SELECT key FROM ${RECORDS} WHERE expires <= $4::int8 AND key <> $1
    ORDER BY expires LIMIT ${LIMITS.idempotencySweep} FOR UPDATE SKIP LOCKED))
SELECT held.got, EXISTS (SELECT FROM made) FROM held`;

const FIND = `SELECT fingerprint, result FROM ${RECORDS} WHERE key = $1`;
const SETTLE = `UPDATE ${RECORDS} SET result = $2 WHERE key = $1`;
const COUNT = `SELECT pg_catalog.count(*) FROM ${RECORDS}`;
const TRIM = `DELETE FROM ${RECORDS} WHERE key IN (
  SELECT key FROM ${RECORDS} ORDER BY expires LIMIT $1::int8 FOR UPDATE SKIP LOCKED)`;
/** A query of the grammar leaves the transaction in its request's role. */
const OWN_ROLE = `SELECT pg_catalog.set_config('role', 'none', true)`;

/** Runs a statement inside the transaction; gives its rows as text. */
export type RunText = (
  text: string,
  values?: readonly string[],
) => Promise<readonly (readonly (string | null)[])[]>;

/** Records of one project, as one transaction sees them. `claims`: of the whole session. */
export class PostgresIdempotency implements IdempotencyRecords {
  readonly #run: RunText;
  readonly #claims: { count: number };

  constructor(run: RunText, claims: { count: number }) {
    this.#run = run;
    this.#claims = claims;
  }

  async claim({ key, fingerprint, now, expires }: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    await this.#run(OWN_ROLE);
    const [row] = await this.#run(CLAIM, [key, fingerprint, String(expires), String(now)]);
    const [got, made] = row ?? [];
    if (got !== 't') throw new MagError('MAG_IDEMPOTENCY_RUNNING');
    if (made !== 't') {
      const [found] = await this.#run(FIND, [key]);
      // Swept away in between: the next try makes it anew.
      if (found === undefined) throw new MagError('MAG_IDEMPOTENCY_RUNNING');
      return { fingerprint: found[0] ?? '', result: found[1] ?? '' };
    }
    this.#claims.count += 1;
    if (this.#claims.count % LIMITS.idempotencyTrimEvery === 0) await this.#trim();
    return null;
  }

  async settle(key: string, result: string): Promise<void> {
    await this.#run(OWN_ROLE);
    await this.#run(SETTLE, [key, result]);
  }

  async #trim(): Promise<void> {
    const [row] = await this.#run(COUNT);
    const excess = Number(row?.[0] ?? 0) - LIMITS.idempotencyRecords;
    if (excess > 0) await this.#run(TRIM, [String(Math.min(excess, LIMITS.idempotencyTrimEvery * 2))]);
  }
}
