import { LIMITS } from '../../../limits.ts';
import { type CommandComplete, type DataRow, type Wire, WireStatement } from './wire.ts';

/**
 * A compiled statement of the grammar. The server makes each row's JSON; here they are only strung together, under a
 * bound: what is beyond it is dropped as it arrives, and the statement is cancelled.
 */
export class JsonStatement extends WireStatement {
  /** Told once when the reply outgrew its bound. */
  onOverflow: () => void = () => {};
  overflow = false;
  rowCount = 0;
  /** Second column, where the statement has one. */
  second: string | null = null;
  /** First column of the last row as it came. */
  first: string | null = null;
  /** From the command tag: rows that a write touched. */
  affected = 0;
  #json = '';
  #bytes = 0;

  get json(): string {
    return `[${this.#json}]`;
  }

  override submit(wire: Wire): null {
    return this.extended(wire, false);
  }

  override handleDataRow(message: DataRow): void {
    if (this.skips(false)) return;
    const row = message.fields[0] ?? null;
    this.first = row;
    this.second = message.fields[1] ?? null;
    if (row === null || this.overflow) return;
    this.rowCount += 1;
    this.#bytes += row.length + 1;
    if (this.rowCount > LIMITS.maxRows || this.#bytes > LIMITS.resultBytes) {
      this.overflow = true;
      this.#json = '';
      this.onOverflow();
      return;
    }
    this.#json = this.rowCount === 1 ? row : `${this.#json},${row}`;
  }

  override handleCommandComplete(message: CommandComplete): void {
    if (this.skips(true)) return;
    this.affected = Number(message.text.slice(message.text.lastIndexOf(' ') + 1)) || 0;
  }
}
