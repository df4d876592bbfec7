import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';
import type { SchemaSnapshot } from './engine.ts';

export interface SchemaCacheOptions {
  readonly host: Host;
  /** Reads tables and columns; gives `known` where nothing changed since. */
  readonly read: (known: SchemaSnapshot | null) => Promise<SchemaSnapshot>;
  /** Told when a new snapshot took the old one's place. */
  readonly onChange: () => void;
}

/**
 * Tables and columns, read once and read again when DDL is noticed: by our own sql(), by an error that says so, or by
 * a look at the catalogue's fingerprint, beside the request that was the occasion: once a second, and less often where the
 * server takes long over it.
 */
export class SchemaCache {
  readonly #options: SchemaCacheOptions;
  #snapshot: SchemaSnapshot | null = null;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #interval: number = LIMITS.schemaCheckMs;
  #checking: Promise<SchemaSnapshot> | null = null;
  #stale = false;

  constructor(options: SchemaCacheOptions) {
    this.#options = options;
  }

  /** The snapshot at hand, or null where it must be read first. Starts a look in the background when one is due. */
  get current(): SchemaSnapshot | null {
    if (this.#snapshot === null || this.#stale) return null;
    if (this.#options.host.now() - this.#checkedAt > this.#interval && this.#checking === null) {
      // Its failure is that of the next request, which finds the same server.
      this.check().catch(() => {});
    }
    return this.#snapshot;
  }

  /** Our own statement changed the schema: what is at hand must not serve the next request. */
  invalidate(): void {
    this.#stale = true;
  }

  /** Compares the fingerprint and reads the tables where it differs. Calls during a look share it. */
  check(): Promise<SchemaSnapshot> {
    if (this.#checking !== null && !this.#stale) return this.#checking;
    this.#stale = false;
    const checking = this.look()
      .catch((error: unknown) => {
        this.#stale = true;
        throw error;
      })
      .finally(() => {
        if (this.#checking === checking) this.#checking = null;
      });
    this.#checking = checking;
    return checking;
  }

  /** A look of its own, for a name that is not in the snapshot: one under way may have begun before it was made. */
  async look(): Promise<SchemaSnapshot> {
    const { host, read } = this.#options;
    const began = host.now();
    this.#checkedAt = began;
    const known = this.#snapshot;
    const snapshot = await read(known);
    this.#interval = LIMITS.schemaCheckMs;
    if (snapshot !== known) {
      this.#snapshot = snapshot;
      this.#options.onChange();
    } else {
      // Hundreds of projects that each look once a second would keep a server from anything else.
      const rest = (host.now() - began) * LIMITS.schemaCheckRest;
      this.#interval = Math.min(Math.max(rest, LIMITS.schemaCheckMs), LIMITS.schemaCheckCapMs);
    }
    return snapshot;
  }
}
