import { BUS_LIMITS } from '../../limits-bus.ts';
import type { Log, LogHost } from '../log/log.ts';
import { ConsumerState } from './consumer-state.ts';

/** The consumers of a topic, made durable BUS_LIMITS.busCheckpointMs after a change; a memory topic's in memory only. */
export class Checkpoints {
  readonly #host: LogHost;
  readonly #log: Log;
  readonly #states = new Map<string, ConsumerState>();
  #dirty = new Set<string>();
  #timer: { readonly id: unknown } | null = null;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;
  /** Size of the log after all consumers were written to it last. */
  #compactBytes = 0;
  /** Writes that the disk refused; each is tried again. */
  failed = 0;

  private constructor(host: LogHost, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  static async open(host: LogHost, log: Log, lanes: number): Promise<Checkpoints> {
    const checkpoints = new Checkpoints(host, log);
    for (let from = log.first; from < log.next; ) {
      const records = await log.read(from, BUS_LIMITS.busReadBytes);
      for (const record of records) {
        const { name, state } = ConsumerState.decode(record.data, lanes);
        if (state === null) checkpoints.#states.delete(name);
        else checkpoints.#states.set(name, state);
        from = record.offset + 1;
      }
    }
    checkpoints.#compactBytes = log.bytes;
    return checkpoints;
  }

  get(name: string): ConsumerState | undefined {
    return this.#states.get(name);
  }

  all(): Iterable<ConsumerState> {
    return this.#states.values();
  }

  get count(): number {
    return this.#states.size;
  }

  /** Takes or replaces a consumer; resolves when that is durable. */
  put(state: ConsumerState): Promise<void> {
    this.#states.set(state.name, state);
    return this.#writeNow(state.name);
  }

  remove(name: string): Promise<void> {
    this.#states.delete(name);
    return this.#writeNow(name);
  }

  /** A consumer moved on: soon it is durable. */
  changed(name: string): void {
    // An ack that comes after the end: its event is delivered again.
    if (this.#closed) return;
    this.#dirty.add(name);
    this.#timer ??= this.#host.setTimer(BUS_LIMITS.busCheckpointMs, () => {
      this.#timer = null;
      this.flush().catch(() => {
        // Nothing is lost but positions: what they would have said comes again, or is written by the next try.
        this.failed += 1;
      });
    });
  }

  /** Makes all changes durable. */
  flush(): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write()); // told to whoever asked for it
    return this.#writing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) this.#host.clearTimer(this.#timer);
    this.#timer = null;
    try {
      await this.flush();
    } finally {
      await this.#log.close();
    }
  }

  #writeNow(name: string): Promise<void> {
    this.#dirty.add(name);
    return this.flush();
  }

  async #write(): Promise<void> {
    const names = this.#dirty;
    if (names.size === 0) return;
    this.#dirty = new Set();
    try {
      await this.#log.append([...names].map((name) => this.#encode(name)));
      if (this.#log.bytes - this.#compactBytes > BUS_LIMITS.busCheckpointBytes) await this.#compact();
    } catch (error) {
      for (const name of names) this.changed(name);
      throw error;
    }
  }

  /** Every consumer once more; what stands before that is of no use then. */
  async #compact(): Promise<void> {
    const first = this.#log.next;
    for (const state of this.#states.values()) await this.#log.append([state.encode()]);
    await this.#log.truncateBefore(first);
    this.#compactBytes = this.#log.bytes;
  }

  #encode(name: string): Uint8Array {
    return this.#states.get(name)?.encode() ?? ConsumerState.encodeGone(name);
  }
}
