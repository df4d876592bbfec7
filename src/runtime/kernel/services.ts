/** What components of this thread offer, by their ids. Ids are unique among siblings only: the last one up is found. */
export class Services {
  readonly #offered = new Map<string, object[]>();

  offer(name: string, api: object): void {
    const known = this.#offered.get(name);
    if (known === undefined) this.#offered.set(name, [api]);
    else known.push(api);
  }

  /** Another one of that name that is still up is found again. */
  withdraw(name: string, api: object): void {
    const left = this.#offered.get(name)?.filter((other) => other !== api) ?? [];
    if (left.length === 0) this.#offered.delete(name);
    else this.#offered.set(name, left);
  }

  get(name: string): object | undefined {
    return this.#offered.get(name)?.at(-1);
  }
}
