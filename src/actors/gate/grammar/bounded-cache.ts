/**
 * A small memory of pure results by text. When it is full it starts over: an attacker who sends a thousand
 * different texts costs everybody one parse each, and never more memory than `capacity` entries.
 */
export class BoundedCache<Value> {
  private readonly entries = new Map<string, Value>();
  private readonly capacity: number;
  private readonly longest: number;

  constructor(capacity: number, longest = 512) {
    this.capacity = capacity;
    this.longest = longest;
  }

  /** The value remembered for `text`, or what `make` gives for it; a throw is not remembered. */
  get(text: string, make: (text: string) => Value): Value {
    const known = this.entries.get(text);
    if (known !== undefined) return known;
    const made = make(text);
    if (text.length <= this.longest) {
      if (this.entries.size >= this.capacity) this.entries.clear();
      this.entries.set(text, made);
    }
    return made;
  }
}
