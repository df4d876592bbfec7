/** Runs the programs that are compared: each in a process of its own, one at a time. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const LIMIT_MS = 120_000;

/** One side of a comparison. */
export interface Program {
  /** Programs of one name are the same: one run of it serves all that are compared in a round. */
  readonly name: string;
  run(): Promise<number>;
}

async function run(command: string, args: readonly string[], folder: string): Promise<number> {
  const { stdout } = await execute(command, args, { cwd: folder, timeout: LIMIT_MS });
  const { value } = JSON.parse(stdout) as { readonly value: unknown }; // printed by the program
  if (typeof value !== 'number') throw new Error(`${args.join(' ')} printed ${stdout}`);
  return value;
}

/** A file of this folder, asked for one metric. It runs in an empty folder, which is removed after it. */
export const node = (file: string, metric: string, flags: readonly string[] = []): Program => ({
  name: `${file} ${metric}`,
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'magmobo-bench-'));
    try {
      return await run(process.execPath, [...flags, join(import.meta.dirname, file), metric], folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

/** One scheduler needs no locks; several run on all processors. Each program is given what it is faster with. */
const SCHEDULERS: readonly (readonly string[])[] = [[], ['+S', '1']];

/** Erlang/OTP as it is found on PATH, with its programs compiled for this run. */
export class Erlang {
  readonly #folder: string;
  readonly #chosen = new Map<string, readonly string[]>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Null where `erl` or `erlc` is missing. */
  static async find(): Promise<Erlang | null> {
    const folder = mkdtempSync(join(tmpdir(), 'magmobo-bench-erlang-'));
    const sources = join(import.meta.dirname, 'baselines/runtime/erlang');
    const files = readdirSync(sources).map((name) => join(sources, name));
    try {
      await execute('erl', ['-noshell', '-noinput', '-eval', 'halt().']);
      await execute('erlc', ['-o', folder, ...files]);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
    return new Erlang(folder);
  }

  /** @param better picks the better of two values: which schedulers count is found out the first time. */
  program(module: string, entry: string, better: (...values: number[]) => number): Program {
    const name = `${module}:${entry}`;
    return { name, run: () => this.#best(name, module, entry, better) };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #best(
    name: string,
    module: string,
    entry: string,
    better: (...values: number[]) => number,
  ): Promise<number> {
    const chosen = this.#chosen.get(name);
    if (chosen !== undefined) return this.#run(module, entry, chosen);
    const values: number[] = [];
    for (const flags of SCHEDULERS) values.push(await this.#run(module, entry, flags));
    const best = better(...values);
    this.#chosen.set(name, SCHEDULERS[values.indexOf(best)] ?? []);
    return best;
  }

  #run(module: string, entry: string, flags: readonly string[]): Promise<number> {
    const args = [
      '-noshell',
      '-noinput',
      '+P',
      '2000000',
      ...flags,
      '-pa',
      this.#folder,
      '-s',
      module,
      entry,
    ];
    return run('erl', args, this.#folder);
  }
}
