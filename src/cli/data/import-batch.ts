import type { Row } from '../../protocol/query.ts';

/** Characters of column names that a request's URL has room for, of the 12 KiB that it may have. */
const NAMES_CHARS = 8_000;

const named = (name: string): string =>
  encodeURIComponent(`"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`);

/**
 * Rows that go out in one request. The board wants all of them to have the same keys, or to be told which columns there
 * are: rows of several shapes, as documents are, go together by the latter.
 */
export class ImportBatch {
  readonly #size: number;
  readonly #mixed: boolean;
  readonly #names = new Map<string, string>();
  #chars = 0;
  #alike = true;
  readonly rows: Row[] = [];

  /** `mixed`: a column that a row lacks may be told of with it; where it would be written over, it may not. */
  constructor(size: number, mixed: boolean) {
    this.#size = size;
    this.#mixed = mixed;
  }

  /** Whether it has to be sent before this row is put into one. */
  isFullFor(row: Row): boolean {
    if (this.rows.length === 0) return false;
    if (this.rows.length >= this.#size) return true;
    if (this.#isLike(row)) return false;
    const more = Object.keys(row).filter((name) => !this.#names.has(name));
    return !this.#mixed || this.#chars + more.map(named).join(',').length > NAMES_CHARS;
  }

  put(row: Row): void {
    if (this.rows.length > 0 && !this.#isLike(row)) this.#alike = false;
    this.rows.push(row);
    for (const name of Object.keys(row)) {
      if (this.#names.has(name)) continue;
      this.#names.set(name, named(name));
      this.#chars += named(name).length + 1;
    }
  }

  /** The parameter `columns`, null where all rows have the same. */
  columns(): string | null {
    return this.#alike ? null : [...this.#names.values()].join(',');
  }

  #isLike(row: Row): boolean {
    const keys = Object.keys(row);
    return keys.length === this.#names.size && keys.every((name) => this.#names.has(name));
  }
}
