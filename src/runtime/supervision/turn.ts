/** Lets operations through one after the other. One that finds nobody before it runs at once. */
export class Turn {
  #last: Promise<unknown> | null = null;

  /** Runs the operation when those before it are over. What it throws is its caller's alone. */
  take<Result>(operation: () => Result | Promise<Result>): Result | Promise<Result> {
    if (this.#last !== null) return this.#hold(this.#last.then(operation));
    const result = operation();
    return result instanceof Promise ? this.#hold(result) : result;
  }

  #hold<Result>(result: Promise<Result>): Promise<Result> {
    const leave = (): void => this.#leave(over);
    const over: Promise<void> = result.then(leave, leave);
    this.#last = over;
    return result;
  }

  #leave(over: Promise<unknown>): void {
    if (this.#last === over) this.#last = null;
  }
}
