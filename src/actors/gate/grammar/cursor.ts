import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';

const SHOWN = 120;

/** Where a recursive parser stands in its text. Every failure is a PGRST100 that names the position. */
export class Cursor {
  readonly text: string;
  /** What is being parsed, for the message: `the filter`, `select`. */
  readonly what: string;
  at: number;
  depth = 0;
  /** Filter terms still allowed. */
  private terms: number = LIMITS.filterTerms;

  constructor(text: string, what: string, at = 0) {
    this.text = text;
    this.what = what;
    this.at = at;
  }

  done(): boolean {
    return this.at >= this.text.length;
  }

  peek(): string {
    return this.text.charAt(this.at);
  }

  looksAt(expected: string): boolean {
    return this.text.startsWith(expected, this.at);
  }

  /** Steps over `expected` where it stands here. */
  take(expected: string): boolean {
    if (!this.text.startsWith(expected, this.at)) return false;
    this.at += expected.length;
    return true;
  }

  expect(expected: string): void {
    if (!this.take(expected)) this.fail(`expected "${expected}"`);
  }

  expectEnd(): void {
    if (!this.done()) this.fail(`unexpected "${this.peek()}"`);
  }

  skipSpaces(): void {
    while (this.text.charCodeAt(this.at) === 32) this.at += 1;
  }

  /** Counts one more filter term, so that no request hands the engine's planner an endless tree. */
  countTerm(): void {
    this.terms -= 1;
    if (this.terms < 0) this.fail(`more than ${LIMITS.filterTerms} filter terms`);
  }

  fail(problem: string, at: number = this.at): never {
    const shown = this.text.length > SHOWN ? `${this.text.slice(0, SHOWN)}…` : this.text;
    throw new MagError(
      'PGRST100',
      { what: `${this.what} "${shown}"`, problem },
      { details: `at position ${at + 1}: ${problem}`, hint: problem },
    );
  }
}
