/** A bounded least-recently-used map; what falls out is handed to `evicted`. */
export class PlanCache<Plan> {
  readonly #plans = new Map<string, Plan>();
  readonly #capacity: number;
  readonly #evicted: (plan: Plan) => void;
  /** The entry asked for last: a hot loop over one shape then never touches the order. */
  #lastKey: string | null = null;
  #last: Plan | undefined;
  evictions = 0;

  constructor(capacity: number, evicted: (plan: Plan) => void = () => {}) {
    this.#capacity = capacity;
    this.#evicted = evicted;
  }

  get size(): number {
    return this.#plans.size;
  }

  get(key: string): Plan | undefined {
    if (key === this.#lastKey) return this.#last;
    const plan = this.#plans.get(key);
    if (plan === undefined) return undefined;
    this.#plans.delete(key);
    this.#plans.set(key, plan);
    this.#lastKey = key;
    this.#last = plan;
    return plan;
  }

  set(key: string, plan: Plan): void {
    const replaced = this.#plans.get(key);
    if (replaced !== undefined) this.#plans.delete(key);
    if (replaced !== undefined && replaced !== plan) this.#evicted(replaced);
    this.#plans.set(key, plan);
    this.#lastKey = key;
    this.#last = plan;
    if (this.#plans.size <= this.#capacity) return;
    for (const [oldest, old] of this.#plans) {
      this.#plans.delete(oldest);
      this.evictions += 1;
      this.#evicted(old);
      break;
    }
  }

  clear(): void {
    for (const plan of this.#plans.values()) this.#evicted(plan);
    this.#plans.clear();
    this.#lastKey = null;
    this.#last = undefined;
  }
}
