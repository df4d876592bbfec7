import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { INLINE_LIMITS } from '../../../limits-inline.ts';

/** Differs between two states of the database as this connection sees them, whoever wrote in between. */
const STATE = 'SELECT data_version, total_changes() FROM pragma_data_version';

/**
 * Whether a query's related rows are as few, and as short, as an edge thread may read. Counting them takes a part of the
 * time of reading them: a count that was good stays so while nobody writes, and one that was not is not repeated at once.
 */
export class EmbedProbes {
  readonly #probes: readonly StatementSync[];
  readonly #state: StatementSync;
  #stateOf = '';
  /** Values with which the counts were good in this state. */
  readonly #good = new Set<string>();
  #passes = 0;

  /** @param probes each gives the rows of one embed, up to one more than its last parameter, and their bytes. */
  constructor(database: DatabaseSync, probes: readonly string[]) {
    const prepare = (sql: string): StatementSync => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#probes = probes.map(prepare);
    this.#state = prepare(STATE);
  }

  /** Whether the next execution goes to a storage process uncounted. */
  passes(): boolean {
    if (this.#passes === 0) return false;
    this.#passes -= 1;
    return true;
  }

  /** To be asked within the transaction that then reads the rows. */
  areFew(bound: readonly SQLInputValue[]): boolean {
    const state = String(this.#state.get());
    if (state !== this.#stateOf) this.#good.clear();
    this.#stateOf = state;
    const key = keyOf(bound);
    if (key !== null && this.#good.has(key)) return true;
    if (!this.#count(bound)) {
      this.#passes = INLINE_LIMITS.probePasses;
      return false;
    }
    if (this.#good.size >= INLINE_LIMITS.probesKept) this.#good.clear();
    if (key !== null) this.#good.add(key);
    return true;
  }

  #count(bound: readonly SQLInputValue[]): boolean {
    let [rowsLeft, bytesLeft]: [number, number] = [INLINE_LIMITS.relatedRows, INLINE_LIMITS.relatedBytes];
    for (const probe of this.#probes) {
      const counted: unknown = probe.get(...bound, rowsLeft);
      const [rows, bytes] = counted as readonly [number, number | null]; // As probeText writes it, in array mode.
      rowsLeft -= rows;
      bytesLeft -= bytes ?? 0;
      if (rowsLeft < 0 || bytesLeft < 0) return false;
    }
    return true;
  }
}

/** The values as one text; null where one has no short one. */
function keyOf(bound: readonly SQLInputValue[]): string | null {
  let key = '';
  for (const value of bound) {
    if (typeof value === 'object' && value !== null) return null;
    const text = String(value);
    if (text.length > LONGEST_KEY) return null;
    key += `${typeof value} ${text.length} ${text} `;
  }
  return key;
}

const LONGEST_KEY = 64;
