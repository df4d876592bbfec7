import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { IdempotencyClaim, IdempotencyRecord, IdempotencyRecords } from '../engine.ts';
import type { Bound } from './wire.ts';

const CLAIM = 'SELECT * FROM _mag_idempotency.claim($1, $2, $3, $4, $5, $6)';
const SETTLE = 'SELECT FROM _mag_idempotency.settle($1, $2, $3)';

/** A query of the grammar leaves the transaction in its request's role, which may not call them. Gives no row. */
export const OWN_ROLE: Bound = {
  ...{ text: `SELECT WHERE pg_catalog.set_config('role', 'none', true) IS NULL`, values: [], name: '' },
};

/** Runs a statement inside the transaction, as the project's own role; gives its rows as text. */
export type RunText = (
  text: string,
  values: readonly string[],
) => Promise<readonly (readonly (string | null)[])[]>;

/** What opens the records of a project, and how often its session has claimed a key. */
export interface RecordsAccess {
  /** As `recordsToken` makes it. */
  token: string;
  count: number;
}

/** Records of one project, as one transaction sees them. */
export class PostgresIdempotency implements IdempotencyRecords {
  readonly #run: RunText;
  readonly #access: RecordsAccess;

  constructor(run: RunText, access: RecordsAccess) {
    this.#run = run;
    this.#access = access;
  }

  async claim({ key, fingerprint, now, expires }: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    const { token, count } = this.#access;
    const trim = (count + 1) % LIMITS.idempotencyTrimEvery === 0;
    const values = [token, key, fingerprint, String(expires), String(now), String(trim)];
    const [row] = await this.#run(CLAIM, values);
    const [state, known, result] = row ?? [];
    if (state === 'known') return { fingerprint: known ?? '', result: result ?? '' };
    if (state !== 'made') throw new MagError('MAG_IDEMPOTENCY_RUNNING');
    this.#access.count += 1;
    return null;
  }

  async settle(key: string, result: string): Promise<void> {
    await this.#run(SETTLE, [this.#access.token, key, result]);
  }
}
