import type { StateOptions } from '../spec.ts';

/** An actor's state between two incarnations. */
export interface Kept {
  readonly version: number;
  readonly state: unknown;
}

/** Why a state could not be carried over. */
export class NotCarried {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/** States that wait for the next incarnation of their actor: at most one for each child that wants it. */
export class Carried {
  readonly #kept = new Map<string, Kept>();

  keep(path: string, kept: Kept): void {
    this.#kept.set(path, kept);
  }

  take(path: string): Kept | undefined {
    if (this.#kept.size === 0) return undefined;
    const kept = this.#kept.get(path);
    this.#kept.delete(path);
    return kept;
  }

  /** A path will not be held again, nor what lay below it. */
  drop(root: string): void {
    if (this.#kept.size === 0) return;
    this.#kept.delete(root);
    for (const path of this.#kept.keys()) if (path.startsWith(`${root}/`)) this.#kept.delete(path);
  }

  /** Below a path only what lies under these children is still wanted. */
  retain(root: string, has: (id: string) => boolean): void {
    for (const path of this.#kept.keys()) {
      if (!path.startsWith(`${root}/`)) continue;
      const [id = ''] = path.slice(root.length + 1).split('/');
      if (!has(id)) this.#kept.delete(path);
    }
  }

  /** All states of a subtree: what moves with it. */
  *within(root: string): Generator<readonly [path: string, kept: Kept]> {
    for (const entry of this.#kept) if (entry[0] === root || entry[0].startsWith(`${root}/`)) yield entry;
  }
}

/** The state in the shape that `options` are for, or why there is none. */
export function migrate(kept: Kept, options: StateOptions): { readonly state: unknown } | NotCarried {
  if (kept.version > options.version)
    return new NotCarried(`it is of version ${kept.version}, newer than ${options.version}`);
  let { state } = kept;
  for (let version = kept.version; version < options.version; version += 1) {
    const step = options.migrate?.[version];
    if (step === undefined) return new NotCarried(`there is no migration from version ${version}`);
    try {
      state = step(state as never); // it declares the shape of this version, which only its author knows
    } catch (error) {
      return new NotCarried(`the migration from version ${version} threw: ${String(error)}`);
    }
  }
  return isValid(options, state) ? { state } : new NotCarried('it is not valid');
}

/** Whether a state may be carried over; a check that throws says no. */
export function isValid(options: StateOptions, state: unknown): boolean {
  try {
    return options.valid?.(state) ?? true;
  } catch {
    return false;
  }
}
