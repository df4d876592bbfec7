import { closeSync, openSync, readSync } from 'node:fs';
import { LIMITS } from '../../../limits.ts';

/** Writes between two looks: a look costs about as much as a statement's overhead. */
const LOOK_EVERY = 64;
/** Layout of the wal-index header (walformat.html §2.1): frames in the WAL, and frames already checkpointed. */
const HEADER_BYTES = 136;
const MX_FRAME = 16;
const N_BACKFILL = 96;

/**
 * Tells when a project's WAL should be checkpointed, by the frame counts that SQLite itself keeps in the `-shm` file.
 * Edge connections never checkpoint: it would block their thread for as long as the disk takes.
 */
export class WalMonitor {
  readonly #file: string;
  readonly #header = new DataView(new ArrayBuffer(HEADER_BYTES));
  readonly #littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  #descriptor: number | null = null;
  #writes = 0;

  /** @param database path of the database file; its `-shm` exists once a WAL connection has read. */
  constructor(database: string) {
    this.#file = `${database}-shm`;
  }

  /** Call after each commit; true when it is time for a checkpoint. */
  wrote(): boolean {
    this.#writes += 1;
    if (this.#writes % LOOK_EVERY !== 0) return false;
    return this.pendingFrames() > LIMITS.checkpointPages;
  }

  /** Frames that no checkpoint has moved yet; 0 where the file cannot be read. */
  pendingFrames(): number {
    try {
      this.#descriptor ??= openSync(this.#file, 'r');
      readSync(this.#descriptor, this.#header, 0, HEADER_BYTES, 0);
    } catch {
      // No WAL index, no WAL: nothing is pending.
      return 0;
    }
    const frames = this.#header.getUint32(MX_FRAME, this.#littleEndian);
    return frames - this.#header.getUint32(N_BACKFILL, this.#littleEndian);
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
