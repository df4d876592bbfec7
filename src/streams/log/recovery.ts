import { join } from 'node:path';
import { MagError } from '../../errors.ts';
import type { LogFile, LogFiles } from './files.ts';
import { FRAME_HEAD, type FrameHead, findHead, holdsBody, readHead } from './frame.ts';
import { baseOfName, readSegmentHead, SEGMENT_HEAD, Segment, segmentName } from './segment.ts';

export interface Recovered {
  /** By offset; the last is written on. None where the log is new. */
  readonly segments: readonly Segment[];
  readonly tornBytes: number;
  /** The last frame is no seal: damage to it could not be told from a torn write yet. */
  readonly unsealed: boolean;
}

interface Scan {
  readonly segment: Segment;
  /** Bytes after the last whole frame that are no zeros, up to the last such byte. */
  readonly tornBytes: number;
  readonly unsealed: boolean;
}

const corrupt = (folder: string, offset: number, problem: string): MagError =>
  new MagError('MAG_LOG_CORRUPT', { log: folder, offset, problem });

/**
 * Opens the segments of a log and checks each byte of them. A write that a crash tore can only be the last one, because
 * the next one begins when it is acknowledged: it is cut off. Whatever else is damaged has acknowledged records behind
 * it, which a shorter log would lose without a word: then MAG_LOG_CORRUPT is thrown, and nothing is changed.
 */
export async function recoverSegments(files: LogFiles, folder: string): Promise<Recovered> {
  const names = await files.list(folder);
  const bases = names.map(baseOfName).filter((base) => base !== null);
  bases.sort((a, b) => a - b);
  const scans: Scan[] = [];
  try {
    for (const base of bases) {
      const scan = await scanSegment(files, folder, base);
      scans.push(scan);
      const before = scans.at(-2);
      // The one before ended when this one began: what is missing between them was acknowledged.
      if (before !== undefined && before.segment.next !== base)
        throw corrupt(folder, before.segment.next, `it goes on at ${base}`);
    }
    const last = scans.at(-1);
    if (last !== undefined && last.tornBytes > 0) {
      await last.segment.file.truncate(last.segment.end);
      last.segment.allocated = last.segment.end;
    }
    return {
      segments: scans.map((scan) => scan.segment),
      tornBytes: last?.tornBytes ?? 0,
      unsealed: last?.unsealed ?? false,
    };
  } catch (error) {
    for (const scan of scans) await scan.segment.close();
    throw error;
  }
}

async function scanSegment(files: LogFiles, folder: string, base: number): Promise<Scan> {
  const path = join(folder, segmentName(base));
  const file = await files.open(path, false);
  try {
    const bytes = await readWhole(file);
    const head = readSegmentHead(bytes);
    if (head === null || head.base !== base)
      throw corrupt(folder, base, `the head of ${segmentName(base)} is damaged`);
    const segment = new Segment(path, file, base, head.salt, bytes.length);
    const unsealed = readFrames(folder, segment, bytes);
    return { segment, tornBytes: tornLength(bytes, segment.end), unsealed };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readWhole(file: LogFile): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(await file.size());
  return bytes.subarray(0, await file.read(bytes, 0));
}

/** Walks the whole frames from the front; tells whether the last one is no seal. */
function readFrames(folder: string, segment: Segment, bytes: Buffer): boolean {
  let unsealed = false;
  for (;;) {
    const at = segment.end;
    const head = readHead(bytes, at, segment.salt);
    if (head === null || !holdsBody(bytes, at, head, segment.salt)) break;
    if (head.first !== segment.next)
      throw corrupt(folder, segment.next, `it goes on at ${head.first} (byte ${at} of ${segment.path})`);
    segment.wrote(frameLength(head), head.count, head.time);
    unsealed = head.count > 0;
  }
  // Each frame is one write that follows the acknowledgement of the one before.
  const following = findHead(bytes, segment.end + 1, segment.salt);
  if (following !== -1) {
    const where = `bytes ${segment.end} to ${following} of ${segment.path} are damaged`;
    throw corrupt(folder, segment.next, where);
  }
  return unsealed;
}

const frameLength = (head: FrameHead): number => FRAME_HEAD + head.bodyLength;

function tornLength(bytes: Buffer, from: number): number {
  let end = bytes.length;
  while (end > from && bytes[end - 1] === 0) end -= 1;
  return Math.max(0, end - Math.max(from, SEGMENT_HEAD));
}
