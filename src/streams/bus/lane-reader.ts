import { BUS_LIMITS } from '../../limits-bus.ts';
import type { BusRecord } from './record.ts';

/** Where events are read from: a topic. */
export interface RecordSource {
  /** Offset of the next event to come. */
  readonly next: number;
  /** From memory, or null where it does not hold them. */
  recent(from: number, count: number): readonly BusRecord[] | null;
  /** From the log; starts later where older events were removed. */
  load(from: number): Promise<readonly BusRecord[]>;
}

/**
 * The events of one lane in order. Each lane reads the whole log by itself, so that its newest event is found however many
 * of other lanes stand before it; it holds one stretch of it at a time.
 */
export class LaneReader {
  readonly #source: RecordSource;
  readonly #isMine: (record: BusRecord) => boolean;
  /** Told when a stretch was loaded, and how many offsets before it are gone. */
  readonly #onLoaded: (first: number, gone: number) => void;
  readonly #onError: (error: unknown) => void;
  #queue: readonly BusRecord[] = [];
  #at = 0;
  #next: number;
  #loading = false;
  #stopped = false;

  constructor(
    source: RecordSource,
    from: number,
    isMine: (record: BusRecord) => boolean,
    onLoaded: (first: number, gone: number) => void,
    onError: (error: unknown) => void,
  ) {
    this.#source = source;
    this.#next = from;
    this.#isMine = isMine;
    this.#onLoaded = onLoaded;
    this.#onError = onError;
  }

  get isLoading(): boolean {
    return this.#loading;
  }

  /** No event of this lane before it is left to take. */
  get position(): number {
    return this.#queue[this.#at]?.offset ?? this.#next;
  }

  /** The next event, where it is in memory; else it begins to load, if there is one. */
  peek(): BusRecord | undefined {
    while (this.#at >= this.#queue.length && !this.#loading && this.#next < this.#source.next) {
      const recent = this.#source.recent(this.#next, BUS_LIMITS.busPrefetch);
      if (recent === null) this.#load();
      else if (recent.length === 0) break;
      else this.#accept(recent);
    }
    return this.#queue[this.#at];
  }

  take(): BusRecord | undefined {
    const record = this.peek();
    if (record !== undefined) this.#at += 1;
    return record;
  }

  stop(): void {
    this.#stopped = true;
  }

  #accept(records: readonly BusRecord[]): void {
    this.#queue = records.filter(this.#isMine);
    this.#at = 0;
    this.#next = (records.at(-1)?.offset ?? this.#next - 1) + 1;
  }

  #load(): void {
    this.#loading = true;
    this.#source.load(this.#next).then(
      (records) => {
        this.#loading = false;
        if (this.#stopped) return;
        const first = records[0]?.offset ?? this.#next;
        const gone = Math.max(0, first - this.#next);
        this.#accept(records);
        this.#onLoaded(first, gone);
      },
      (error: unknown) => {
        this.#loading = false;
        if (!this.#stopped) this.#onError(error);
      },
    );
  }
}
