import { LIMITS } from '../../../limits.ts';
import type { RowSink } from './connection.ts';

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

  /** @param overflowed told once when the reply outgrew its bound. */
  constructor(overflowed: () => void) {
    this.#overflowed = overflowed;
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
    if (this.rowCount > LIMITS.maxRows || this.#bytes > LIMITS.resultBytes) this.#stop();
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
