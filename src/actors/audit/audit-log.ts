import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { type AuditVerdict, fileNameAt, verifyTrail } from './audit-files.ts';
import { type AuditTail, readTail } from './audit-tail.ts';
import { type AuditEvent, type ChainHead, REPAIRED, sealEntry, sha256Hex } from './entry.ts';

/** The audit trail: append-only, hash-chained, durable before an append resolves. */
export interface AuditLog {
  /** Resolves when the entry is on the disk. Rejects with MAG_OVERLOADED, or with why the disk refused it. */
  append(event: AuditEvent): Promise<void>;
  /** Reads the whole trail and says whether it is unbroken. */
  verify(): Promise<AuditVerdict>;
  /** Entries written since boot, and those refused because the queue was full or the disk failed. */
  counters(): { readonly written: number; readonly refused: number; readonly waiting: number };
  /** Writes what waits, then closes the file. */
  close(): Promise<void>;
}

interface Waiting {
  readonly event: AuditEvent;
  readonly at: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface OpenFile {
  readonly name: string;
  readonly handle: FileHandle;
  /** Bytes known to be whole lines. */
  size: number;
}

/** Writes entries in groups: all that wait share one write and one fsync. */
class GroupWriter {
  readonly #folder: string;
  #head: ChainHead;
  #file: OpenFile | null = null;
  #queue: Waiting[] = [];
  #busy = false;
  #flushing: Promise<void> = Promise.resolve();
  #closed = false;
  written = 0;
  refused = 0;

  constructor(folder: string, head: ChainHead) {
    this.#folder = folder;
    this.#head = head;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  append(event: AuditEvent, at: number): Promise<void> {
    if (this.#closed || this.#queue.length >= LIMITS.auditQueue) {
      this.refused += 1;
      const what = this.#closed ? 'the audit log is closed' : 'the audit log is behind';
      return Promise.reject(new MagError('MAG_OVERLOADED', { what }));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ event, at, resolve, reject });
    if (!this.#busy) this.#flushing = this.#flush();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    await this.#file?.handle.close();
    this.#file = null;
  }

  async #flush(): Promise<void> {
    this.#busy = true;
    while (this.#queue.length > 0) {
      const name = fileNameAt(this.#queue[0]?.at ?? 0);
      // A group lies in one file; those of the next month make the next group.
      const next = this.#queue.findIndex((waiting) => fileNameAt(waiting.at) !== name);
      const group = this.#queue.splice(0, next === -1 ? this.#queue.length : next);
      try {
        await this.#write(name, group);
        this.written += group.length;
        for (const waiting of group) waiting.resolve();
      } catch (error) {
        this.refused += group.length;
        for (const waiting of group) waiting.reject(error);
      }
    }
    // In the same turn as the look at the queue: an append in between would never be flushed.
    this.#busy = false;
  }

  async #write(name: string, group: readonly Waiting[]): Promise<void> {
    let head = this.#head;
    let text = '';
    for (const { event, at } of group) {
      const sealed = sealEntry(event, new Date(at).toISOString(), head);
      text += `${sealed.line}\n`;
      head = sealed.head;
    }
    const bytes = Buffer.from(text);
    const file = await this.#open(name);
    try {
      await file.handle.appendFile(bytes);
      await file.handle.datasync();
    } catch (error) {
      // Nothing of the group was acknowledged: take back what part of it may stand there.
      await file.handle.truncate(file.size).catch(() => this.#abandon());
      throw new MagError(
        'MAG_OVERLOADED',
        { what: `the audit log cannot be written (${describeError(error)})` },
        { cause: error },
      );
    }
    file.size += bytes.length;
    this.#head = head;
  }

  /** The next write opens the file anew, and so learns its true size. */
  async #abandon(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.handle.close().catch(() => {}); // Its write failed already, which was told.
  }

  async #open(name: string): Promise<OpenFile> {
    if (this.#file?.name === name) return this.#file;
    await this.#abandon();
    const handle = await open(join(this.#folder, name), 'a', 0o600);
    this.#file = { name, handle, size: (await handle.stat()).size };
    return this.#file;
  }
}

/** Ends a line that a crash left without its newline, so that the next entry starts on its own line. */
async function endLastLine(folder: string, tail: AuditTail): Promise<void> {
  if (tail.file === null || (tail.torn === null && !tail.unended)) return;
  const file = await open(join(folder, tail.file), 'a', 0o600);
  try {
    await file.appendFile('\n');
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * Opens the trail in `folder`: checks its end, marks a torn last line by an entry of its own, and goes on after it.
 * Damage before the end is logged and audited, never repaired: it is evidence.
 */
export async function openAuditLog(folder: string, host: Host, log: Log): Promise<AuditLog> {
  const tail = readTail(folder);
  await endLastLine(folder, tail);
  const writer = new GroupWriter(folder, tail.head);
  const append = (event: AuditEvent): Promise<void> => writer.append(event, host.wallTime());
  const note = (action: string, target: string, reason: string): Promise<void> =>
    append({ actor: 'board', action, target, reason, outcome: 'ok' });
  if (tail.torn !== null) {
    log.warn(
      { file: tail.file, bytes: tail.torn.length },
      'the audit log ended in a torn line; it was marked',
    );
    await note(
      REPAIRED,
      sha256Hex(tail.torn.toString('utf8')),
      `the line before is torn: ${tail.torn.length} bytes`,
    );
  }
  if (tail.problem !== null) {
    log.error({ problem: tail.problem }, 'the audit log was tampered with or damaged');
    await note('audit.damaged', tail.file ?? '', tail.problem);
  }
  return {
    append,
    verify: () => verifyTrail(folder),
    counters: () => ({ written: writer.written, refused: writer.refused, waiting: writer.waiting }),
    close: () => writer.close(),
  };
}
