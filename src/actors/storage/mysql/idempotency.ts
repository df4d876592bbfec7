import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { IdempotencyClaim, IdempotencyRecord, IdempotencyRecords } from '../engine.ts';
import { recordsDatabase, recordsSecret, signature } from './idempotency-schema.ts';
import type { Work } from './session.ts';

/** Whoever meets a lock must not wait: it would hold a connection meanwhile. */
const NO_WAIT = 'SET STATEMENT innodb_lock_wait_timeout = 0 FOR';

/** Records of one project, as one transaction sees them. `claims`: of the whole session. */
export class MysqlIdempotency implements IdempotencyRecords {
  readonly #database: string;
  readonly #secret: string;
  readonly #work: Work;
  readonly #claims: { count: number };

  constructor(work: Work, claims: { count: number }) {
    const { database, password } = work.connection.target;
    this.#database = `\`${recordsDatabase(database)}\``;
    this.#secret = recordsSecret(password);
    this.#work = work;
    this.#claims = claims;
  }

  async claim({ key, fingerprint, now, expires }: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    const trim = (this.#claims.count + 1) % LIMITS.idempotencyTrimEvery === 0;
    const values = [key, fingerprint, String(expires), String(now), trim ? '1' : '0'];
    const row = await this.#call('claim', values, `${NO_WAIT} `);
    const [state, known, result] = row ?? [];
    if (state === 'known') return { fingerprint: String(known), result: String(result) };
    if (state !== 'made') throw new MagError('MAG_IDEMPOTENCY_RUNNING');
    this.#claims.count += 1;
    return null;
  }

  async settle(key: string, result: string): Promise<void> {
    await this.#call('settle', [key, result]);
  }

  /** Calls a procedure with the values and what they are signed with; gives its first row, where it has one. */
  async #call(
    name: 'claim' | 'settle',
    values: readonly string[],
    prefix = '',
  ): Promise<readonly unknown[] | undefined> {
    let first: readonly unknown[] | undefined;
    const sql = `${prefix}CALL ${this.#database}.${name}(?${', ?'.repeat(values.length)})`;
    const signed = [signature(this.#secret, [name, ...values]), ...values];
    const row = (cells: readonly unknown[]): void => {
      first ??= cells;
    };
    await this.#work.run({ sql, values: signed }, { row });
    return first;
  }
}
