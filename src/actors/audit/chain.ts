import { type AuditEntry, type ChainHead, GENESIS, openEntry, REPAIRED, sha256Hex } from './entry.ts';

/** Follows the chain line by line. What does not fit is remembered; following goes on at the next sealed entry. */
export class ChainReader {
  head: ChainHead = GENESIS;
  entries = 0;
  /** The first thing that is wrong, or null. */
  problem: string | null = null;
  #torn: string | null = null;
  #anchored: boolean;

  /** Unanchored: the first entry seen is taken as it is, because what comes before it is not read. */
  constructor(anchored: boolean) {
    this.#anchored = anchored;
  }

  /** `where` names the line in a problem, as `audit-202611.jsonl line 3`. */
  line(text: string, where: string): void {
    const entry = openEntry(text);
    if (entry === null) {
      this.#blame();
      this.#torn = text;
      this.#tornAt = where;
      return;
    }
    this.#judge(entry, where);
    this.head = { seq: entry.seq, hash: entry.hash };
    this.entries += 1;
    this.#anchored = true;
  }

  #tornAt = '';

  /** Call after the last line: text that nobody marked as torn is damage. */
  end(): void {
    this.#blame();
  }

  #judge(entry: AuditEntry, where: string): void {
    const marks = entry.action === REPAIRED && this.#torn !== null && entry.target === sha256Hex(this.#torn);
    if (marks) this.#torn = null;
    this.#blame();
    if (!this.#anchored) return;
    if (entry.prev !== this.head.hash || entry.seq !== this.head.seq + 1) {
      this.problem ??= `${where} does not follow entry ${this.head.seq}: something before it was changed or removed`;
    }
  }

  #blame(): void {
    if (this.#torn !== null) this.problem ??= `${this.#tornAt} was changed or cut`;
    this.#torn = null;
  }
}
