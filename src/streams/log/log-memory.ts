import { recordSize } from './frame.ts';
import { GroupCommit, same } from './group-commit.ts';
import type { Log, LogCounters, LogHost, LogOptions, LogRecord, LogRetention } from './log.ts';

/** A log that ends with its process: the same contract but for durability. */
export function openMemoryLog(options: LogOptions): Log {
  return new MemoryLog(options);
}

class MemoryLog implements Log {
  readonly #host: LogHost;
  readonly #commit: GroupCommit;
  /** Those before `#start` are removed. */
  #records: LogRecord[] = [];
  #start = 0;
  #base = 0;
  #bytes = 0;
  #removed = 0;
  #lastTime = 0;

  constructor(options: LogOptions) {
    this.#host = options.host;
    this.#commit = new GroupCommit(
      'memory',
      options.host,
      ({ appends }) => this.#write(appends),
      () => {},
    );
  }

  get first(): number {
    return this.#base;
  }

  get next(): number {
    return this.#base + this.#records.length - this.#start;
  }

  get lastTime(): number {
    return this.#lastTime;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(records: readonly Uint8Array[]): Promise<number>;
  append<T>(records: readonly Uint8Array[], told: (first: number) => T): Promise<T>;
  append(records: readonly Uint8Array[], told: (first: number) => unknown = same): Promise<unknown> {
    return this.#commit.append(records, told);
  }

  read(from: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const found: LogRecord[] = [];
    let bytes = 0;
    for (let at = this.#indexOf(from); at < this.#records.length; at += 1) {
      const record = this.#records[at];
      if (record === undefined) break;
      bytes += recordSize(record.data);
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(record);
    }
    return Promise.resolve(found);
  }

  offsetAt(time: number): Promise<number> {
    let low = this.#start;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#records[middle]?.time ?? 0) < time) low = middle + 1;
      else high = middle;
    }
    return Promise.resolve(this.#base + low - this.#start);
  }

  expiry(retention: LogRetention): number {
    const oldest = this.#host.wallTime() - (retention.ageMs ?? Number.POSITIVE_INFINITY);
    let bytes = this.#bytes;
    let at = this.#start;
    for (; at < this.#records.length; at += 1) {
      const record = this.#records[at];
      if (record === undefined || (bytes <= retention.bytes && record.time >= oldest)) break;
      bytes -= recordSize(record.data);
    }
    return this.#base + at - this.#start;
  }

  truncateBefore(offset: number): Promise<void> {
    const start = this.#indexOf(Math.min(offset, this.next));
    for (let at = this.#start; at < start; at += 1) {
      const record = this.#records[at];
      if (record !== undefined) this.#bytes -= recordSize(record.data);
    }
    this.#removed += start - this.#start;
    this.#base += start - this.#start;
    this.#start = start;
    // Moved once for as many as are removed: each record is copied once on average.
    if (this.#start > this.#records.length / 2) {
      this.#records = this.#records.slice(this.#start);
      this.#start = 0;
    }
    return Promise.resolve();
  }

  counters(): LogCounters {
    const { appended, groups, refused, pendingBytes } = this.#commit;
    return { appended, groups, refused, pendingBytes, removed: this.#removed, tornBytes: 0 };
  }

  close(): Promise<void> {
    return this.#commit.close();
  }

  #indexOf(offset: number): number {
    return this.#start + Math.max(0, offset - this.#base);
  }

  #write(appends: readonly (readonly Uint8Array[])[]): Promise<number> {
    const first = this.next;
    let offset = first;
    const time = Math.max(this.#host.wallTime(), this.#lastTime);
    this.#lastTime = time;
    for (const records of appends) {
      for (const data of records) {
        this.#records.push({ offset, time, data });
        this.#bytes += recordSize(data);
        offset += 1;
      }
    }
    return Promise.resolve(first);
  }
}
