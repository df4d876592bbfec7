import type { JsonValue } from '../../protocol/query.ts';

type Meta = { readonly [key: string]: JsonValue };

/** One tracked presence: a socket's, here or at another edge worker. */
export interface PresenceEntry {
  readonly ref: string;
  readonly key: string;
  readonly meta: Meta;
  /** Bytes of the meta as JSON. */
  readonly size: number;
  /** Which gateway holds the socket. */
  readonly gateway: string;
}

/** What a client is sent: presence_state, or a half of presence_diff. */
export type PresenceState = { readonly [key: string]: { readonly metas: readonly Meta[] } };

function stateOf(entries: Iterable<PresenceEntry>): PresenceState {
  const byKey = new Map<string, { metas: Meta[] }>();
  for (const entry of entries) {
    const held = byKey.get(entry.key) ?? { metas: [] };
    held.metas.push({ ...entry.meta, phx_ref: entry.ref });
    byKey.set(entry.key, held);
  }
  // fromEntries defines own properties, so a key named __proto__ stays a key.
  return Object.fromEntries(byKey);
}

/**
 * Who is present in one topic, over all edge workers, and what changed since the last diff was sent. Every entry
 * has a reference of its own, so joins and leaves commute and repeating one does no harm.
 */
export class PresenceTable {
  readonly #entries = new Map<string, PresenceEntry>();
  #joins = new Map<string, PresenceEntry>();
  #leaves = new Map<string, PresenceEntry>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  join(entry: PresenceEntry): void {
    if (this.#entries.has(entry.ref)) return;
    this.#entries.set(entry.ref, entry);
    this.#bytes += entry.size;
    this.#joins.set(entry.ref, entry);
  }

  leave(ref: string): void {
    const entry = this.#entries.get(ref);
    if (entry === undefined) return;
    this.#entries.delete(ref);
    this.#bytes -= entry.size;
    // Nobody was told of a join that is still pending.
    if (!this.#joins.delete(ref)) this.#leaves.set(ref, entry);
  }

  entriesOf(gateway: string): PresenceEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.gateway === gateway);
  }

  gateways(): Set<string> {
    return new Set([...this.#entries.values()].map((entry) => entry.gateway));
  }

  state(): PresenceState {
    return stateOf(this.#entries.values());
  }

  /** Joins and leaves since the last call; null where there are none. */
  takeDiff(): { readonly joins: PresenceState; readonly leaves: PresenceState } | null {
    if (this.#joins.size === 0 && this.#leaves.size === 0) return null;
    const diff = { joins: stateOf(this.#joins.values()), leaves: stateOf(this.#leaves.values()) };
    this.#joins = new Map();
    this.#leaves = new Map();
    return diff;
  }
}
