import { describeError, MagError } from '../../errors.ts';
import { BUS_LIMITS } from '../../limits-bus.ts';
import { recordSize } from './frame.ts';
import type { LogHost } from './log.ts';

/** One call of append that waits for its fsync. */
interface Append {
  readonly records: readonly Uint8Array[];
  readonly bytes: number;
  readonly told: (first: number) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What goes to the disk with one fsync. */
export interface Group {
  readonly appends: readonly (readonly Uint8Array[])[];
  readonly count: number;
  /** Of all records, each with its head. */
  readonly bytes: number;
}

/** Makes a group durable and gives the offset of its first record. A MagError with MAG_LOG_FULL refuses the group only. */
export type GroupWriter = (group: Group) => Promise<number>;

/** For an append that wants its offset only. */
export const same = (first: number): number => first;

/**
 * Group commit: what arrives while a group is written goes into the next one, so that the fsyncs are as many as the disk
 * can do and not as many as there are writers.
 */
export class GroupCommit {
  readonly #folder: string;
  readonly #host: LogHost;
  readonly #write: GroupWriter;
  readonly #onFailed: (error: Error) => void;
  #queue: Append[] = [];
  #running = false;
  #closing = false;
  #failure: MagError | null = null;
  #idle: (() => void)[] = [];
  appended = 0;
  groups = 0;
  refused = 0;
  pendingBytes = 0;

  constructor(folder: string, host: LogHost, write: GroupWriter, onFailed: (error: Error) => void) {
    this.#folder = folder;
    this.#host = host;
    this.#write = write;
    this.#onFailed = onFailed;
  }

  /** Why it ended, or null. */
  get failure(): MagError | null {
    return this.#failure;
  }

  append(records: readonly Uint8Array[], told: (first: number) => unknown): Promise<unknown> {
    let bytes = 0;
    for (const record of records) bytes += recordSize(record);
    const refusal = this.#refusal(records.length, bytes);
    if (refusal !== null) {
      this.refused += records.length;
      return Promise.reject(refusal);
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, bytes, told, resolve, reject });
      this.pendingBytes += bytes;
      if (this.#running) return;
      this.#running = true;
      this.#next();
    });
  }

  /** Ends it: what waits is rejected, and what comes later too. */
  fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = this.#failed(describeError(error), error);
    const waiting = this.#queue;
    this.#queue = [];
    for (const append of waiting) this.#reject(append, this.#failure);
    this.#onFailed(this.#failure);
  }

  /** Resolves when all that waits is written or refused; nothing more is taken. */
  close(): Promise<void> {
    this.#closing = true;
    return this.#running ? new Promise((resolve) => void this.#idle.push(resolve)) : Promise.resolve();
  }

  #refusal(count: number, bytes: number): MagError | null {
    if (this.#failure !== null) return this.#failure;
    if (this.#closing) return this.#failed('it is closed');
    if (count === 0) return new MagError('MAG_BAD_REQUEST', { problem: 'an append of no records' });
    if (bytes > BUS_LIMITS.logAppendBytes)
      return new MagError('MAG_RECORD_TOO_LARGE', { bytes, limit: BUS_LIMITS.logAppendBytes });
    if (this.pendingBytes + bytes > BUS_LIMITS.logPendingBytes)
      return new MagError('MAG_OVERLOADED', { what: `the disk is behind with the log ${this.#folder}` });
    return null;
  }

  #failed(cause: string, error?: unknown): MagError {
    return new MagError('MAG_LOG_FAILED', { folder: this.#folder, cause }, { cause: error });
  }

  /** A turn later: those whose promise was just resolved have appended again by then, and share the next group. */
  #next(): void {
    this.#host.defer(() => void this.#run());
  }

  async #run(): Promise<void> {
    const group = this.#take();
    if (group.length > 0) await this.#commit(group);
    if (this.#queue.length > 0) {
      this.#next();
      return;
    }
    this.#running = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #take(): readonly Append[] {
    let bytes = 0;
    let end = 0;
    for (const append of this.#queue) {
      if (end > 0 && bytes + append.bytes > BUS_LIMITS.logGroupBytes) break;
      bytes += append.bytes;
      end += 1;
    }
    if (end < this.#queue.length) return this.#queue.splice(0, end);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  async #commit(group: readonly Append[]): Promise<void> {
    let count = 0;
    let bytes = 0;
    for (const append of group) {
      count += append.records.length;
      bytes += append.bytes;
    }
    try {
      let offset = await this.#write({ appends: group.map((append) => append.records), count, bytes });
      this.groups += 1;
      this.appended += count;
      for (const append of group) {
        this.pendingBytes -= append.bytes;
        append.resolve(append.told(offset));
        offset += append.records.length;
      }
    } catch (error) {
      if (error instanceof MagError && error.code === 'MAG_LOG_FULL') {
        for (const append of group) this.#reject(append, error);
      } else {
        // First these, whose outcome nobody knows; then what waits behind them.
        const failure = this.#failed(describeError(error), error);
        for (const append of group) this.#reject(append, failure);
        this.fail(error);
      }
    }
  }

  #reject(append: Append, error: MagError): void {
    this.refused += append.records.length;
    this.pendingBytes -= append.bytes;
    append.reject(error);
  }
}
