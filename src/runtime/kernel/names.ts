import { MagError } from '../../errors.ts';
import type { Cell } from './cell.ts';

interface Holder {
  readonly path: string;
  /** Null between two incarnations. */
  cell: Cell | null;
}

interface Membership {
  readonly cells: Set<Cell>;
  /** The same as a list, for picking; null where it has to be made anew. */
  order: readonly Cell[] | null;
  /** Whose turn it is. */
  turn: number;
}

/** Fewer names than this are not worth a sweep. */
const FIRST_SWEEP = 64;

/** The names and groups of a thread's actors. Each incarnation takes them over from the one before it. */
export class Names {
  readonly #holders = new Map<string, Holder>();
  /** The name that belongs to a path, so that it is free again when the path is. */
  readonly #byPath = new Map<string, string>();
  readonly #groups = new Map<string, Membership>();
  /** Whether a path that nobody holds is to be held again. */
  readonly #isAwaited: (path: string) => boolean;
  #sweepAt = FIRST_SWEEP;

  constructor(isAwaited: (path: string) => boolean) {
    this.#isAwaited = isAwaited;
  }

  get size(): number {
    return this.#holders.size;
  }

  /** Throws MAG_NAME_TAKEN where another actor has the name, or is to have it again. */
  claim(cell: Cell): void {
    const { name } = cell.spec;
    const { path } = cell;
    const before = this.#byPath.size === 0 ? undefined : this.#byPath.get(path);
    // It was replaced by one of another name.
    if (before !== undefined && before !== name) this.#forget(before, path);
    if (name === undefined) return;
    const holder = this.#holders.get(name);
    if (holder !== undefined && holder.path !== path) {
      if (this.#isHeld(holder)) throw new MagError('MAG_NAME_TAKEN', { name, path: holder.path });
      this.#forget(name, holder.path);
    }
    if (this.#holders.size >= this.#sweepAt) this.#sweep();
    this.#holders.set(name, { path, cell });
    this.#byPath.set(path, name);
  }

  /** It is ready: its groups may send to it. */
  join(cell: Cell): void {
    const { groups } = cell.spec;
    if (groups === undefined) return;
    for (const key of groups) {
      const group = this.#groups.get(key);
      if (group === undefined) this.#groups.set(key, { cells: new Set([cell]), order: null, turn: 0 });
      else {
        group.cells.add(cell);
        group.order = null;
      }
    }
  }

  leave(cell: Cell): void {
    const { name, groups } = cell.spec;
    if (name !== undefined) {
      const holder = this.#holders.get(name);
      if (holder?.cell === cell) holder.cell = null;
    }
    if (groups === undefined) return;
    for (const key of groups) {
      const group = this.#groups.get(key);
      if (group?.cells.delete(cell) !== true) continue;
      group.order = null;
      if (group.cells.size === 0) this.#groups.delete(key);
    }
  }

  /** The path will not be held again: its name is free. */
  release(path: string): void {
    if (this.#byPath.size === 0) return;
    const name = this.#byPath.get(path);
    if (name === undefined || this.#holders.get(name)?.cell?.live === true) return;
    this.#forget(name, path);
  }

  find(name: string): Cell | undefined {
    return this.#holders.get(name)?.cell ?? undefined;
  }

  /** Whose name it is, also between two incarnations. */
  pathOf(name: string): string | undefined {
    return this.#holders.get(name)?.path;
  }

  /** Those that take messages. */
  members(group: string): readonly Cell[] {
    return [...(this.#groups.get(group)?.cells ?? [])].filter((cell) => cell.live);
  }

  /** The members in turn, whoever asks. */
  pick(group: string): Cell | undefined {
    const membership = this.#groups.get(group);
    if (membership === undefined) return undefined;
    membership.order ??= [...membership.cells];
    const { order } = membership;
    for (let tries = 0; tries < order.length; tries += 1) {
      const cell = order[membership.turn % order.length];
      membership.turn = (membership.turn + 1) % order.length;
      if (cell?.live === true) return cell;
    }
    return undefined;
  }

  #isHeld({ cell, path }: Holder): boolean {
    return cell !== null || this.#isAwaited(path);
  }

  #forget(name: string, path: string): void {
    this.#holders.delete(name);
    this.#byPath.delete(path);
  }

  /** Of what ended with the supervisor above it nobody tells. It goes before it outnumbers the rest. */
  #sweep(): void {
    for (const [name, holder] of this.#holders) if (!this.#isHeld(holder)) this.#forget(name, holder.path);
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#holders.size * 2);
  }
}
