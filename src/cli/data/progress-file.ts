import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { MagError } from '../../errors.ts';

/** How far a transfer has come, beside its file: what `--resume` goes on from. */
export class ProgressFile<State extends object> {
  readonly #path: string;

  constructor(file: string, what: 'import' | 'export') {
    this.#path = `${file}.mag-${what}.json`;
  }

  /** Where it is, for who is told to delete it. */
  get path(): string {
    return this.#path;
  }

  /** Null where no transfer was cut off. */
  find(): State | null {
    return existsSync(this.#path) ? this.read() : null;
  }

  /** Throws MAG_USAGE where there is nothing to resume. */
  read(): State {
    if (!existsSync(this.#path))
      throw new MagError('MAG_USAGE', { problem: `there is nothing to resume: ${this.#path} is not there` });
    return JSON.parse(readFileSync(this.#path, 'utf8')) as State; // write() below wrote it
  }

  /** In one piece: a cut-off write must not lose the one before. */
  write(state: State): void {
    writeFileSync(`${this.#path}.new`, JSON.stringify(state));
    renameSync(`${this.#path}.new`, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
