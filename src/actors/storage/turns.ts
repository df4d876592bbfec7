/** Work of one key in the order that it came, one at a time; that of different keys at once. */
export class Turns {
  /** Per key the end of what came last. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Settles as `work` does, which begins when all of its key before it has ended. */
  in<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(work); // Its own caller has its failure; the next one starts all the same.
    this.#last.set(key, mine);
    const done = (): void => {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    };
    mine.then(done, done);
    return mine;
  }

  /** Resolves when nothing of now is under way any more. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
