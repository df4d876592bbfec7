/** Where each id of the newest events stands, and the publishes under way. The window is so many offsets wide. */
export class IdWindow<Result> {
  readonly #width: number;
  /** In the order of their offsets. */
  readonly #offsets = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<Result>>();

  constructor(width: number) {
    this.#width = width;
  }

  /** First offset whose id counts, when `next` is the topic's end. */
  floor(next: number): number {
    return next - this.#width;
  }

  /** Offset of the event with this id, or null. */
  find(id: string, next: number): number | null {
    const offset = this.#offsets.get(id);
    return offset === undefined || offset < this.floor(next) ? null : offset;
  }

  add(id: string, offset: number): void {
    // Deleted first: an id that comes again after its window goes to the end.
    this.#offsets.delete(id);
    this.#offsets.set(id, offset);
    for (const [oldest, at] of this.#offsets) {
      if (at >= this.floor(offset + 1)) break;
      this.#offsets.delete(oldest);
    }
  }

  /** The publish of this id that waits for its fsync. */
  underWay(id: string): Promise<Result> | undefined {
    return this.#underWay.get(id);
  }

  begin(id: string, result: Promise<Result>): void {
    this.#underWay.set(id, result);
    const end = (): void => void this.#underWay.delete(id);
    result.then(end, end);
  }
}
