import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';

const SHOWN = 240;

/**
 * Where a recursive parser stands in its text. Every failure is a PGRST100 in PostgREST's words: which parameter, the
 * column, what stands there and what was expected.
 */
export class Cursor {
  readonly text: string;
  at: number;
  depth = 0;
  /** What is being parsed, for the message: `filter`, `select parameter`. */
  readonly #what: string;
  /** The parameter as it came, where `text` has more in front of it. */
  readonly #shown: string;
  /** Filter terms still allowed. */
  #terms: number = LIMITS.filterTerms;

  constructor(text: string, what: string, shown: string = text) {
    this.text = text;
    this.at = 0;
    this.#what = what;
    this.#shown = shown;
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

  expect(expected: string, expecting = `"${expected}"`): void {
    if (!this.take(expected)) this.unexpected(expecting);
  }

  expectEnd(expecting: string): void {
    if (!this.done()) this.unexpectedRest(expecting);
  }

  /** As PostgREST, which stops reading where all is said: a bracket or quote too many at the end says nothing. */
  expectEndAfterClosers(expecting: string): void {
    for (;;) {
      this.skipSpaces();
      if (!this.take(')') && !this.take("'") && !this.take('"')) break;
    }
    this.expectEnd(expecting);
  }

  skipSpaces(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 32 && code !== 9) return;
      this.at += 1;
    }
  }

  /** Counts one more filter term, so that no request hands the engine's planner an endless tree. */
  countTerm(): void {
    this.#terms -= 1;
    if (this.#terms < 0) this.refuse(`more than ${LIMITS.filterTerms} filter terms`);
  }

  /** What stands here is not what could. `shown`: where the character is that does not fit, if not here. */
  unexpected(expecting: string, at: number = this.at, shown: number = at): never {
    const found = this.text.charAt(shown);
    this.refuse(
      `unexpected ${found === '' ? 'end of input' : JSON.stringify(found)} expecting ${expecting}`,
      at,
    );
  }

  /** The same where the text should have ended; PostgREST quotes it differently then. */
  unexpectedRest(expecting: string, at: number = this.at): never {
    if (at >= this.text.length) this.unexpected(expecting, at);
    this.refuse(`unexpected '${this.text.charAt(at)}' expecting ${expecting}`, at);
  }

  /** The same where one of several words should stand here: the character that is not the first one's is named. */
  unexpectedWord(first: string, expecting: string): never {
    let same = 0;
    while (same < first.length && this.text.charAt(this.at + same) === first.charAt(same)) same += 1;
    this.unexpected(expecting, this.at, this.at + same);
  }

  /** What stands here is understood, and not allowed. */
  refuse(problem: string, at: number = this.at): never {
    const text = this.#shown;
    const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
    throw new MagError(
      'PGRST100',
      { what: `${this.#what} (${shown})`, column: at + 1 },
      { details: problem },
    );
  }
}
