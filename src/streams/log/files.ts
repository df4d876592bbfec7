/** A file that a log writes. Positions and sizes are bytes. */
export interface LogFile {
  /** Resolves when all bytes are durable at their place, and `behind` behind them, where it is given. */
  write(bytes: Uint8Array, position: number, behind?: Uint8Array): Promise<void>;
  /** Fills the buffer as far as the file goes; gives the number of bytes read. */
  read(into: Uint8Array, position: number): Promise<number>;
  size(): Promise<number>;
  /** Cuts or grows the file with zeros; durable. */
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** The door to the disk. files-node.ts is the real one; tests put a disk behind it that tears writes and fills up. */
export interface LogFiles {
  /** Makes the folder and those above it. */
  makeFolder(path: string): Promise<void>;
  /** Names in the folder. */
  list(folder: string): Promise<readonly string[]>;
  /** `create` makes it anew, empty; else it must be there. */
  open(path: string, create: boolean): Promise<LogFile>;
  /** Durable when it resolves. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Takes the folder for one writer; the lock ends with its process. Throws MAG_LOG_LOCKED while another holds it. */
  lock(folder: string): { release(): void };
}

/** Whether the disk had no room: nothing else is wrong with it. */
export const isFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOSPC' || error.code === 'EDQUOT' || error.code === 'EFBIG');
