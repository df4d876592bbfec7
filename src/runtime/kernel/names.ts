import { MagError } from '../../errors.ts';
import type { Cell } from './cell.ts';

interface Holder {
  readonly path: string;
  /** Null between two incarnations. */
  cell: Cell | null;
}

interface Membership {
  readonly cells: Set<Cell>;
  /** How often one was picked. */
  turn: number;
}

/** The names and groups of a thread's actors. Each incarnation takes them over from the one before it. */
export class Names {
  readonly #holders = new Map<string, Holder>();
  /** The name that belongs to a path, so that it is free again when the path is. */
  readonly #byPath = new Map<string, string>();
  readonly #groups = new Map<string, Membership>();

  /** Throws MAG_NAME_TAKEN where another actor has the name, or is to have it again. */
  claim(cell: Cell): void {
    const { name } = cell.spec;
    if (name === undefined) return;
    const holder = this.#holders.get(name);
    if (holder !== undefined && holder.path !== cell.path)
      throw new MagError('MAG_NAME_TAKEN', { name, path: holder.path });
    this.#holders.set(name, { path: cell.path, cell });
    this.#byPath.set(cell.path, name);
  }

  /** It is ready: its groups may send to it. */
  join(cell: Cell): void {
    const { groups } = cell.spec;
    if (groups === undefined) return;
    for (const key of groups) {
      const group = this.#groups.get(key);
      if (group === undefined) this.#groups.set(key, { cells: new Set([cell]), turn: 0 });
      else group.cells.add(cell);
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
      group?.cells.delete(cell);
      if (group?.cells.size === 0) this.#groups.delete(key);
    }
  }

  /** The path will not be held again: its name is free. */
  release(path: string): void {
    if (this.#byPath.size === 0) return;
    const name = this.#byPath.get(path);
    if (name === undefined || this.#holders.get(name)?.cell?.live === true) return;
    this.#byPath.delete(path);
    this.#holders.delete(name);
  }

  find(name: string): Cell | undefined {
    return this.#holders.get(name)?.cell ?? undefined;
  }

  /** Whose name it is, also between two incarnations. */
  pathOf(name: string): string | undefined {
    return this.#holders.get(name)?.path;
  }

  members(group: string): readonly Cell[] {
    return [...(this.#groups.get(group)?.cells ?? [])];
  }

  /** The members in turn, whoever asks. */
  pick(group: string): Cell | undefined {
    const membership = this.#groups.get(group);
    if (membership === undefined) return undefined;
    const cells = [...membership.cells];
    membership.turn = (membership.turn + 1) % cells.length;
    return cells[(membership.turn + cells.length - 1) % cells.length];
  }
}
