import { LIMITS } from '../../../limits.ts';
import { responseSettings } from './response-settings.ts';
import { type Bound, type CommandComplete, type DataRow, type Wire, WireStatement } from './wire.ts';

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
  /** What SQL of the project set for the reply: its headers and its status. */
  settings: readonly (string | null)[] = [];
  /** Whether the statement's own rows are all here. */
  #complete = false;
  readonly #asksSettings: boolean;
  #json = '';
  #bytes = 0;

  constructor(
    sql: string,
    values: readonly (string | null)[],
    name: string,
    before: Bound | null,
    asksSettings = false,
  ) {
    super(sql, values, name, before);
    this.#asksSettings = asksSettings;
  }

  protected override get after(): Bound | null {
    return this.#asksSettings ? responseSettings : null;
  }

  get json(): string {
    return `[${this.#json}]`;
  }

  override submit(wire: Wire): null {
    return this.extended(wire, false);
  }

  override handleDataRow(message: DataRow): void {
    if (this.skips(false)) return;
    if (this.#complete) {
      this.settings = message.fields;
      return;
    }
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
    if (this.skips(true) || this.#complete) return;
    this.#complete = true;
    this.affected = Number(message.text.slice(message.text.lastIndexOf(' ') + 1)) || 0;
  }
}
