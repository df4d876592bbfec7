import { LIMITS } from '../../../limits.ts';
import type { RowSink } from './connection.ts';

/** A text is cut before a character that would not fit whole. */
const CUT_SLACK = 8;

/**
 * Rows of one JSON text each, strung together under a bound: what is beyond it is dropped as it arrives, and the statement
 * is ended. The second column is a total (of a row without JSON), or whether a check held.
 */
export class JsonRows implements RowSink {
  readonly #overflowed: () => void;
  #json = '';
  #bytes = 0;
  overflow = false;
  rowCount = 0;
  total: number | null = null;
  /** Whether a row came that breaks the check. */
  broken = false;

  /** A row of so many bytes may have been cut by the server. */
  #cutAt = Number.POSITIVE_INFINITY;

  /**
   * @param overflowed told once when the reply outgrew its bound.
   * @param sql the statement's text: related rows are put together by GROUP_CONCAT, which cuts.
   */
  constructor(overflowed: () => void, sql = '') {
    this.#overflowed = overflowed;
    this.watchFor(sql);
  }

  /** Takes rows of another statement, too. */
  watchFor(sql: string): void {
    if (sql.includes('GROUP_CONCAT(')) this.#cutAt = LIMITS.mysqlGroupBytes - CUT_SLACK;
  }

  get json(): string {
    return `[${this.#json}]`;
  }

  row([text, second]: readonly unknown[]): void {
    if (typeof text !== 'string') {
      if (second === null || second === undefined) this.#stop();
      else if (this.total === null) this.total = Number(second);
      return;
    }
    if (this.overflow) return;
    if (second === 0) this.broken = true;
    this.rowCount += 1;
    this.#bytes += text.length + 1;
    const isCut = text.length * 3 >= this.#cutAt && Buffer.byteLength(text) >= this.#cutAt;
    if (isCut || this.rowCount > LIMITS.maxRows || this.#bytes > LIMITS.resultBytes) this.#stop();
    else this.#json = this.rowCount === 1 || this.#json === '' ? text : `${this.#json},${text}`;
  }

  /** Also for a row without JSON: the server makes none that is longer than its largest packet. */
  #stop(): void {
    if (this.overflow) return;
    this.overflow = true;
    this.#json = '';
    this.#overflowed();
  }
}
