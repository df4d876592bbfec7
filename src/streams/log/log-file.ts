import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { isFull, type LogFile, type LogFiles } from './files.ts';
import { nodeFiles } from './files-node.ts';
import { encodeFrame, FRAME_HEAD, frameSize } from './frame.ts';
import { type Group, GroupCommit } from './group-commit.ts';
import type { Log, LogCounters, LogHost, LogOptions, LogRecord, LogRetention } from './log.ts';
import { type Recovered, recoverSegments } from './recovery.ts';
import { makeSpare, placeSegment, type Segment, SPARE } from './segment.ts';
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
 * other damage refused with MAG_LOG_CORRUPT; damage that comes to the last record within LIMITS.logSealMs of its
 * acknowledgement, together with a crash, is the one kind that cannot be told from a torn write.
 */
export async function openFileLog(options: FileLogOptions): Promise<Log> {
  const files = options.files ?? nodeFiles;
  await files.makeFolder(options.folder);
  const lock = files.lock(options.folder);
  try {
    const recovered = await recoverSegments(files, options.folder);
    const log = new FileLog(options, files, lock, recovered);
    await log.start();
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
  #buffer = Buffer.allocUnsafe(LIMITS.logGrowBytes);
  #spare: Promise<LogFile> | null = null;
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
    this.#segmentBytes = options.segmentBytes ?? LIMITS.logSegmentBytes;
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

  get bytes(): number {
    return this.#segments.bytes;
  }

  /** Makes the first segment, and seals what was recovered while it is known to be whole. */
  async start(): Promise<void> {
    await this.#removeSpare();
    if (this.#segments.newest === undefined) await this.#roll(0);
    if (this.#unsealed) await this.#seal();
  }

  #removeSpare(): Promise<void> {
    return this.#files.remove(join(this.#folder, SPARE));
  }

  append(records: readonly Uint8Array[]): Promise<number> {
    return this.#commit.append(records);
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
      const spare = await this.#spare?.catch(() => null); // there is none then
      await spare?.close();
      await this.#segments.close();
      await this.#removeSpare();
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
    let size = FRAME_HEAD;
    for (const records of group.appends) size += frameSize(records) - FRAME_HEAD;
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
      this.#growAhead(segment);
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

  /** Where a full disk stops a write half-way, no part of it may come back as a record. */
  async #put(segment: Segment, bytes: Uint8Array): Promise<void> {
    try {
      await segment.file.write(bytes, segment.end);
    } catch (error) {
      if (!isFull(error)) throw error;
      // Its place exists already, so this needs no room; where it fails as well, the log ends.
      await segment.file.write(Buffer.alloc(FRAME_HEAD), segment.end).catch((cause: unknown) => {
        throw new Error(`a write that failed could not be taken back (${describeError(cause)})`, {
          cause: error,
        });
      });
      throw error;
    }
  }

  /** The newest segment, or a new one, with zeros where the frame goes. */
  async #room(size: number): Promise<Segment> {
    let segment = this.#segments.newest;
    const isOld = (held: Segment): boolean =>
      this.#host.wallTime() - held.firstTime > this.#segmentMs || held.end + size > this.#segmentBytes;
    if (segment === undefined || (!segment.isEmpty && isOld(segment))) segment = await this.#roll(this.next);
    if (segment.end + size <= segment.allocated) return segment;
    // What was begun ahead may be enough, or may have met a full disk that has room again by now.
    await segment.growing?.catch(() => {});
    if (segment.end + size > segment.allocated) await segment.grow(segment.end + size);
    return segment;
  }

  async #roll(base: number): Promise<Segment> {
    const making = this.#spare ?? makeSpare(this.#files, this.#folder, LIMITS.logFirstBytes);
    this.#spare = null;
    const spare = await making;
    try {
      const salt = Buffer.from(this.#host.randomBytes(4)).readUInt32LE(0);
      const segment = await placeSegment(this.#files, this.#folder, spare, base, salt);
      this.#segments.add(segment);
      return segment;
    } catch (error) {
      await spare.close();
      throw error;
    }
  }

  /** Zeros for the writes to come, and the next segment in time. What fails here is tried again when it is needed. */
  #growAhead(segment: Segment): void {
    const { end, allocated } = segment;
    if (this.#spare === null && end > this.#segmentBytes / 2) {
      this.#spare = makeSpare(this.#files, this.#folder, this.#segmentBytes);
      this.#spare.catch(() => {
        this.#spare = null;
      });
    }
    if (segment.growing !== null || allocated >= this.#segmentBytes || allocated - end > end) return;
    const size = Math.min(this.#segmentBytes, Math.max(allocated * 2, end + LIMITS.logFirstBytes));
    segment.growing = segment.grow(size).finally(() => {
      segment.growing = null;
    });
    segment.growing.catch(() => {});
  }

  #planSeal(): void {
    this.#sealTimer = this.#host.setTimer(LIMITS.logSealMs, () => {
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
    // Without room for it there is none: the next group says the same.
    if (segment === undefined || !this.#unsealed || segment.end + FRAME_HEAD > segment.allocated) return;
    const seal = Buffer.alloc(FRAME_HEAD);
    encodeFrame(seal, segment.salt, segment.next, this.#segments.lastTime, []);
    await segment.file.write(seal, segment.end);
    segment.wrote(FRAME_HEAD, 0, this.#segments.lastTime);
    this.#unsealed = false;
  }
}
