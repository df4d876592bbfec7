import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '../../limits.ts';
import { auditFiles } from './audit-files.ts';
import { ChainReader } from './chain.ts';
import { type ChainHead, GENESIS, openEntry } from './entry.ts';

export interface AuditTail {
  readonly head: ChainHead;
  /** File that holds the end of the trail, null before the first entry. */
  readonly file: string | null;
  /** Text after the last newline that is no sealed entry: a write that a crash cut short. */
  readonly torn: Buffer | null;
  /** The last line is whole but lacks its newline. */
  readonly unended: boolean;
  /** Damage before the end, or null. */
  readonly problem: string | null;
}

const NEWLINE = 0x0a;

/** The last bytes of a file, from the start of a line on. */
function readEnd(path: string): { bytes: Buffer; whole: boolean } {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const start = Math.max(0, size - LIMITS.auditTailBytes);
    const bytes = Buffer.alloc(size - start);
    readSync(file, bytes, 0, bytes.length, start);
    if (start === 0) return { bytes, whole: true };
    return { bytes: bytes.subarray(bytes.indexOf(NEWLINE) + 1), whole: false };
  } finally {
    closeSync(file);
  }
}

/** Finds the chain's end in the newest file that has one, and checks the last stretch before it. */
export function readTail(folder: string): AuditTail {
  const names = [...auditFiles(folder)].reverse();
  for (const name of names) {
    const { bytes, whole } = readEnd(join(folder, name));
    if (bytes.length === 0) continue;
    const reader = new ChainReader(whole && name === names.at(-1));
    const cut = bytes.lastIndexOf(NEWLINE) + 1;
    const lines = bytes.subarray(0, cut).toString('utf8').split('\n').slice(0, -1);
    for (const [index, line] of lines.entries()) reader.line(line, `${name}, line ${index + 1} of its end`);
    const rest = bytes.subarray(cut);
    const unended = rest.length > 0 && openEntry(rest.toString('utf8')) !== null;
    if (unended) reader.line(rest.toString('utf8'), name);
    reader.end();
    const torn = rest.length > 0 && !unended ? Buffer.from(rest) : null;
    if (reader.entries > 0 || names.length === 1) {
      return { head: reader.head, file: name, torn, unended, problem: reader.problem };
    }
    // Nothing but a torn line in the newest file: the chain's end is in the one before.
    const before = headOf(folder, names.slice(names.indexOf(name) + 1));
    return { head: before, file: name, torn, unended, problem: reader.problem };
  }
  return { head: GENESIS, file: null, torn: null, unended: false, problem: null };
}

function headOf(folder: string, names: readonly string[]): ChainHead {
  for (const name of names) {
    const reader = new ChainReader(false);
    for (const line of readEnd(join(folder, name)).bytes.toString('utf8').split('\n'))
      reader.line(line, name);
    if (reader.entries > 0) return reader.head;
  }
  return GENESIS;
}
