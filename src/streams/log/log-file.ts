import { describeError, MagError } from '../../errors.ts';
import { BUS_LIMITS } from '../../limits-bus.ts';
import { isFull, type LogFiles } from './files.ts';
import { nodeFiles } from './files-node.ts';
import { encodeFrame, FRAME_HEAD } from './frame.ts';
import { type Group, GroupCommit, same } from './group-commit.ts';
import type { Log, LogCounters, LogHost, LogOptions, LogRecord, LogRetention } from './log.ts';
import { type Recovered, recoverSegments } from './recovery.ts';
import { createSegment, type Segment, ZEROS } from './segment.ts';
import { SegmentList } from './segment-list.ts';

export interface FileLogOptions extends LogOptions {
  /** Made if it is not there. */
  readonly folder: string;
  /** Begins a new segment when the newest is so old, so that it can expire. */
  readonly segmentMs?: number;
  readonly files?: LogFiles;
}

/**
 * Opens the log in a folder, for one writer at a time (MAG_LOG_LOCKED). A write that a crash tore is cut off, and any
 * other damage refused with MAG_LOG_CORRUPT; damage that comes to the last record within BUS_LIMITS.logSealMs of its
 * acknowledgement, together with a crash, is the one kind that cannot be told from a torn write.
 */
export async function openFileLog(options: FileLogOptions): Promise<Log> {
  const files = options.files ?? nodeFiles;
  await files.makeFolder(options.folder);
  const lock = files.lock(options.folder);
  try {
    const log = new FileLog(options, files, lock, await recoverSegments(files, options.folder));
    await log.start().catch(async (error: unknown) => {
      await log.close();
      throw error;
    });
    return log;
  } catch (error) {
    lock.release();
    throw error;
  }
}

class FileLog implements Log {
  readonly #folder: string;
  readonly #host: LogHost;
  readonly #files: LogFiles;
  readonly #lock: { release(): void };
  readonly #segmentBytes: number;
  readonly #segmentMs: number;
  readonly #commit: GroupCommit;
  readonly #segments: SegmentList;
  readonly #tornBytes: number;
  /** Reused for each group: written out whole before the next one is encoded. */
  #buffer = Buffer.allocUnsafe(BUS_LIMITS.logZeroBytes);
  #sealTimer: { readonly id: unknown } | null = null;
  /** Writes to the newest segment, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #unsealed: boolean;
  #removed = 0;
  #closed: Promise<void> | null = null;

  constructor(options: FileLogOptions, files: LogFiles, lock: { release(): void }, recovered: Recovered) {
    this.#folder = options.folder;
    this.#host = options.host;
    this.#files = files;
    this.#lock = lock;
    this.#segmentBytes = options.segmentBytes ?? BUS_LIMITS.logSegmentBytes;
    this.#segmentMs = options.segmentMs ?? Number.POSITIVE_INFINITY;
    this.#tornBytes = recovered.tornBytes;
    this.#unsealed = recovered.unsealed;
    this.#segments = new SegmentList(options.folder, recovered.segments);
    this.#commit = new GroupCommit(
      options.folder,
      options.host,
      (group) => this.#inTurn(() => this.#write(group)),
      (error) => options.onFailed?.(error),
    );
  }

  get first(): number {
    return this.#segments.first;
  }

  get next(): number {
    return this.#segments.next;
  }

  get lastTime(): number {
    return this.#segments.lastTime;
  }

  get bytes(): number {
    return this.#segments.bytes;
  }

  /** Makes the first segment, and seals what was recovered while it is known to be whole. */
  async start(): Promise<void> {
    if (this.#segments.newest === undefined) await this.#roll(0);
    if (this.#unsealed) await this.#seal();
  }

  append(records: readonly Uint8Array[]): Promise<number>;
  append<T>(records: readonly Uint8Array[], told: (first: number) => T): Promise<T>;
  append(records: readonly Uint8Array[], told: (first: number) => unknown = same): Promise<unknown> {
    return this.#commit.append(records, told);
  }

  read(from: number, maxBytes: number): Promise<readonly LogRecord[]> {
    return this.#segments.read(from, maxBytes);
  }

  offsetAt(time: number): Promise<number> {
    return this.#segments.offsetAt(time);
  }

  expiry(retention: LogRetention): number {
    return this.#segments.expiry(retention, this.#host.wallTime());
  }

  async truncateBefore(offset: number): Promise<void> {
    if (this.#closed !== null) return;
    await this.#inTurn(async () => {
      const newest = this.#segments.newest;
      // All of it is old: a new segment takes its place, so that it can go too.
      if (newest !== undefined && !newest.isEmpty && offset >= newest.next) await this.#roll(newest.next);
      for (const segment of this.#segments.dropBefore(offset)) {
        this.#removed += segment.next - segment.base;
        await this.#files.remove(segment.path);
        await segment.close();
      }
    });
  }

  counters(): LogCounters {
    const { appended, groups, refused, pendingBytes } = this.#commit;
    return { appended, groups, refused, pendingBytes, removed: this.#removed, tornBytes: this.#tornBytes };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#commit.close();
    this.#stopSealTimer();
    try {
      // A log that failed cannot say that all is well with its end.
      if (this.#unsealed && this.#commit.failure === null) await this.#inTurn(() => this.#seal());
      await this.#segments.close();
    } finally {
      this.#lock.release();
    }
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => {}); // told to whoever asked for it
    return turn;
  }

  async #write(group: Group): Promise<number> {
    this.#stopSealTimer();
    const size = FRAME_HEAD + group.bytes;
    try {
      const segment = await this.#room(size);
      if (this.#buffer.length < size) this.#buffer = Buffer.allocUnsafe(size);
      const time = Math.max(this.#host.wallTime(), this.#segments.lastTime);
      const first = segment.next;
      encodeFrame(this.#buffer, segment.salt, first, time, group.appends);
      await this.#put(segment, this.#buffer.subarray(0, size));
      segment.wrote(size, group.count, time);
      this.#unsealed = true;
      this.#planSeal();
      return first;
    } catch (error) {
      if (!isFull(error)) throw error;
      throw new MagError(
        'MAG_LOG_FULL',
        { folder: this.#folder, cause: describeError(error) },
        { cause: error },
      );
    }
  }

  /** Writes behind the last frame. Where a full disk stops it half-way, no part of it may come back as a record. */
  async #put(segment: Segment, bytes: Uint8Array): Promise<void> {
    const end = segment.end + bytes.length;
    const behind = end > segment.allocated ? ZEROS : undefined;
    try {
      await segment.file.write(bytes, segment.end, behind);
      if (behind !== undefined) segment.allocated = end + behind.length;
    } catch (error) {
      if (!isFull(error)) throw error;
      segment.allocated = segment.end;
      await segment.file.truncate(segment.end).catch((cause: unknown) => {
        throw new Error(`a write could not be taken back (${describeError(cause)})`, { cause: error });
      });
      throw error;
    }
  }

  /** The newest segment, or a new one where that is full or old. */
  async #room(size: number): Promise<Segment> {
    const segment = this.#segments.newest;
    const isDue = (held: Segment): boolean =>
      this.#host.wallTime() - held.firstTime > this.#segmentMs || held.end + size > this.#segmentBytes;
    if (segment !== undefined && (segment.isEmpty || !isDue(segment))) return segment;
    return this.#roll(this.next);
  }

  async #roll(base: number): Promise<Segment> {
    const salt = Buffer.from(this.#host.randomBytes(4)).readUInt32LE(0);
    const segment = await createSegment(this.#files, this.#folder, base, salt);
    this.#segments.add(segment);
    return segment;
  }

  #planSeal(): void {
    this.#sealTimer = this.#host.setTimer(BUS_LIMITS.logSealMs, () => {
      this.#sealTimer = null;
      if (this.#closed !== null || this.#commit.failure !== null) return;
      this.#inTurn(() => this.#seal()).catch((error: unknown) => this.#commit.fail(error));
    });
  }

  #stopSealTimer(): void {
    if (this.#sealTimer !== null) this.#host.clearTimer(this.#sealTimer);
    this.#sealTimer = null;
  }

  /** An empty frame: who finds it knows that what stands before it was acknowledged, so that damage there is damage. */
  async #seal(): Promise<void> {
    const segment = this.#segments.newest;
    if (segment === undefined || !this.#unsealed) return;
    const seal = Buffer.alloc(FRAME_HEAD);
    encodeFrame(seal, segment.salt, segment.next, this.#segments.lastTime, []);
    try {
      await this.#put(segment, seal);
    } catch (error) {
      // No room for it is no harm: the next one comes with the next group.
      if (!isFull(error)) throw error;
      return;
    }
    segment.wrote(FRAME_HEAD, 0, this.#segments.lastTime);
    this.#unsealed = false;
  }
}
