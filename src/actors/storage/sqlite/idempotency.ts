import type { StatementSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import type { IdempotencyClaim, IdempotencyRecord } from '../engine.ts';
import type { TenantConnection } from './connection.ts';
import { isStaleSchema } from './sqlite-errors.ts';

const TABLE = `
CREATE TABLE IF NOT EXISTS main._mag_idempotency (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, expires INTEGER NOT NULL, result TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS main._mag_idempotency_expires ON _mag_idempotency (expires)`;

/** Takes the key where nobody has it, or its record has expired. */
const TAKE = `
INSERT INTO main._mag_idempotency (key, fingerprint, expires, result) VALUES (?, ?, ?, '')
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, expires = excluded.expires, result = ''
WHERE _mag_idempotency.expires <= ?`;

const FIND = 'SELECT fingerprint, result FROM main._mag_idempotency WHERE key = ?';
const SETTLE = 'UPDATE main._mag_idempotency SET result = ? WHERE key = ?';
const SWEEP = `
DELETE FROM main._mag_idempotency WHERE key IN
  (SELECT key FROM main._mag_idempotency WHERE expires <= ? ORDER BY expires LIMIT ?)`;
const COUNT = 'SELECT count(*) AS n FROM main._mag_idempotency';
const TRIM = `
DELETE FROM main._mag_idempotency WHERE key IN
  (SELECT key FROM main._mag_idempotency ORDER BY expires LIMIT ?)`;

/**
 * Idempotency records of a project, in its own file: a table out of its tenants' sight, as every name of its prefix
 * is. Everything here runs inside the transaction that its caller has begun, with the write lock held.
 */
export class SqliteIdempotency {
  readonly #connection: TenantConnection;
  readonly #statements = new Map<string, StatementSync>();

  constructor(connection: TenantConnection) {
    this.#connection = connection;
  }

  /** @param trim whether to look how many there are: it takes a moment that an edge thread has not. */
  claim(claim: IdempotencyClaim, trim: boolean): IdempotencyRecord | null {
    return this.#connection.confinement.asBoard(() => {
      try {
        return this.#claim(claim, trim);
      } catch (error) {
        if (!isStaleSchema(error)) throw error;
        // It comes with the first claim, and goes again where that one is undone: a project that uses no keys has none.
        this.#connection.database.exec(TABLE);
        this.#statements.clear();
        return this.#claim(claim, trim);
      }
    });
  }

  #claim({ key, fingerprint, now, expires }: IdempotencyClaim, trim: boolean): IdempotencyRecord | null {
    if (Number(this.#prepare(TAKE).run(key, fingerprint, expires, now).changes) === 0) {
      const found = this.#prepare(FIND).get(key);
      return { fingerprint: String(found?.['fingerprint']), result: String(found?.['result']) };
    }
    this.#prepare(SWEEP).run(now, LIMITS.idempotencySweep);
    if (trim) this.#trim();
    return null;
  }

  settle(key: string, result: string): void {
    this.#connection.confinement.asBoard(() => this.#prepare(SETTLE).run(result, key));
  }

  #trim(): void {
    const excess = Number(this.#prepare(COUNT).get()?.['n'] ?? 0) - LIMITS.idempotencyRecords;
    if (excess > 0) this.#prepare(TRIM).run(Math.min(excess, LIMITS.idempotencyTrimEvery * 2));
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#connection.database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
