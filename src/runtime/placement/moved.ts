/** What a subtree takes along when it moves: everything that makes its actors the same ones elsewhere. */
export interface Moved {
  /** Each actor below the mount, the mount's root included: its path, its incarnation, and its state where it has one. */
  readonly actors: readonly MovedActor[];
  /** The next incarnation to be numbered. */
  readonly next: number;
}

export interface MovedActor {
  readonly path: string;
  readonly incarnation: number;
  readonly state: { readonly value: unknown } | null;
}

/** In the thread it moved to: each of its actors takes its number and its state when it is started. */
export class Arrivals {
  readonly #actors = new Map<string, MovedActor>();

  expect(moved: Moved): void {
    for (const actor of moved.actors) this.#actors.set(actor.path, actor);
  }

  incarnation(path: string): number | null {
    return this.#actors.size === 0 ? null : (this.#actors.get(path)?.incarnation ?? null);
  }

  /** Once: what it is restarted from later is not this. */
  state(path: string): { readonly state: unknown } | null {
    if (this.#actors.size === 0) return null;
    const state = this.#actors.get(path)?.state ?? null;
    return state === null ? null : { state: state.value };
  }

  /** All of it has been started. */
  close(): void {
    this.#actors.clear();
  }
}
