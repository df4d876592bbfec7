import { basename, dirname } from 'node:path';
import type { LogFile, LogFiles } from '../../src/streams/log/files.ts';

const SECTOR = 512;

/** What becomes of one write: it is done, it never returns because the machine is gone, or it fails with a code. */
export type WriteFate = (
  number: number,
) => 'done' | { readonly torn: () => boolean } | { readonly code: string };

const failure = (code: string): Error => Object.assign(new Error(`${code}: simulated`), { code });
const never = <T>(): Promise<T> => new Promise<T>(() => {});

/**
 * A disk in memory that tears writes: of one that a crash interrupts, each sector is there or not, as `torn` draws. After
 * a crash nothing returns any more, until `restart` gives the disk to the next process.
 */
export class SimulatedDisk implements LogFiles {
  #files = new Map<string, Uint8Array>();
  readonly #locks = new Set<string>();
  #fate: WriteFate = () => 'done';
  #writes = 0;
  #crashed = false;
  #generation = 0;

  /** Another process on the same disk. */
  restart(fate: WriteFate = () => 'done'): void {
    this.#generation += 1;
    this.#crashed = false;
    this.#writes = 0;
    this.#fate = fate;
    this.#locks.clear();
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  get paths(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  bytes(path: string): Uint8Array {
    return this.#files.get(path) ?? new Uint8Array();
  }

  copy(): SimulatedDisk {
    const disk = new SimulatedDisk();
    disk.#files = new Map([...this.#files].map(([path, bytes]) => [path, bytes.slice()]));
    return disk;
  }

  makeFolder(): Promise<void> {
    return Promise.resolve();
  }

  list(folder: string): Promise<readonly string[]> {
    return Promise.resolve(
      this.paths.filter((path) => dirname(path) === folder).map((path) => basename(path)),
    );
  }

  open(path: string, create: boolean): Promise<LogFile> {
    if (create) this.#files.set(path, new Uint8Array());
    if (!this.#files.has(path)) return Promise.reject(failure('ENOENT'));
    // A renamed file keeps its handle.
    const holder = { path };
    this.#holders.push(holder);
    return Promise.resolve(this.#file(holder, this.#generation));
  }

  readonly #holders: { path: string }[] = [];

  rename(from: string, to: string): Promise<void> {
    if (this.#crashed) return never();
    this.#files.set(to, this.bytes(from));
    this.#files.delete(from);
    for (const holder of this.#holders) if (holder.path === from) holder.path = to;
    return Promise.resolve();
  }

  remove(path: string): Promise<void> {
    if (this.#crashed) return never();
    this.#files.delete(path);
    return Promise.resolve();
  }

  lock(folder: string): { release(): void } {
    if (this.#locks.has(folder)) throw new Error('locked');
    this.#locks.add(folder);
    return { release: () => void this.#locks.delete(folder) };
  }

  #file(holder: { path: string }, generation: number): LogFile {
    const isGone = (): boolean => this.#crashed || generation !== this.#generation;
    return {
      write: (bytes, position, behind) => {
        if (isGone()) return never();
        const all = behind === undefined ? bytes : Buffer.concat([bytes, behind]);
        return this.#write(holder.path, all, position);
      },
      read: async (into, position) => {
        const bytes = this.bytes(holder.path).subarray(position, position + into.length);
        into.set(bytes);
        return bytes.length;
      },
      size: async () => this.bytes(holder.path).length,
      truncate: async (size) => {
        if (isGone()) return never();
        const grown = new Uint8Array(size);
        grown.set(this.bytes(holder.path).subarray(0, size));
        this.#files.set(holder.path, grown);
      },
      close: async () => {},
    };
  }

  #write(path: string, bytes: Uint8Array, position: number): Promise<void> {
    const fate = this.#fate(this.#writes);
    this.#writes += 1;
    if (fate === 'done') {
      this.#put(path, bytes, position);
      return Promise.resolve();
    }
    if ('code' in fate) {
      this.#put(path, bytes.subarray(0, bytes.length / 2), position);
      return Promise.reject(failure(fate.code));
    }
    this.#crashed = true;
    // Sectors of the file, not of the write.
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + SECTOR - ((position + at) % SECTOR));
      if (fate.torn()) this.#put(path, bytes.subarray(at, end), position + at);
      at = end;
    }
    return never();
  }

  #put(path: string, bytes: Uint8Array, position: number): void {
    let held = this.bytes(path);
    if (held.length < position + bytes.length) {
      const grown = new Uint8Array(position + bytes.length);
      grown.set(held);
      held = grown;
      this.#files.set(path, held);
    }
    held.set(bytes, position);
  }
}
