import { existsSync, readFileSync } from 'node:fs';

/** Layout of a WAL file (https://sqlite.org/fileformat2.html#walformat); numbers are big endian. */
const WAL_HEAD = 32;
const FRAME_HEAD = 24;
const DEFAULT_PAGE = 4_096;
const MAGIC_BIG_ENDIAN = 0x377f0683;
const MAGIC_LITTLE_ENDIAN = 0x377f0682;

/** SQLite's running checksum over whole 8-byte words, seeded by the one before. */
function checksum(bytes: Buffer, isBig: boolean, seed: readonly [number, number]): [number, number] {
  let [s0, s1] = seed;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const x0 = isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const x1 = isBig ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    s0 = (s0 + x0 + s1) >>> 0;
    s1 = (s1 + x1 + s0) >>> 0;
  }
  return [s0, s1];
}

/** As the database's own head says (https://sqlite.org/fileformat2.html#the_database_header). */
function pageSizeOf(database: string): number {
  const head = existsSync(database) ? readFileSync(database).subarray(0, 18) : Buffer.alloc(0);
  const size = head.length < 18 ? 0 : head.readUInt16BE(16);
  return size === 1 ? 65_536 : size || DEFAULT_PAGE;
}

/**
 * Says what is wrong with a WAL that was left by a killed process, or null. SQLite ends a WAL before its first damaged
 * frame. A torn write can only hit the last transaction, because each is acknowledged before the next begins: frames of
 * a later one behind the damage are acknowledged records that SQLite would drop. Damage to the last transaction itself,
 * or to the field that ends the one before it, passes for a torn write: SQLite's WAL has no seal.
 */
export function checkWal(database: string): string | null {
  const path = `${database}-wal`;
  if (!existsSync(path)) return null;
  const wal = readFileSync(path);
  if (wal.length < WAL_HEAD) return null;
  const magic = wal.readUInt32BE(0);
  const isBig = magic === MAGIC_BIG_ENDIAN;
  let sum = checksum(wal.subarray(0, 24), isBig, [0, 0]);
  const isWhole =
    (isBig || magic === MAGIC_LITTLE_ENDIAN) &&
    sum[0] === wal.readUInt32BE(24) &&
    sum[1] === wal.readUInt32BE(28);
  const pageSize = isWhole ? wal.readUInt32BE(8) : pageSizeOf(database);
  // Without its head, the frames themselves say which round they are of.
  const salts = isWhole ? wal.subarray(16, 24) : wal.subarray(WAL_HEAD + 8, WAL_HEAD + 16);
  /** Transactions that end behind the first damage; the first of them may be the torn one. */
  let ended = 0;
  let damagedAt = isWhole ? -1 : 0;
  for (let at = WAL_HEAD; at + FRAME_HEAD + pageSize <= wal.length; at += FRAME_HEAD + pageSize) {
    const frame = wal.subarray(at, at + FRAME_HEAD + pageSize);
    // Frames of the WAL's last round, which this one has not overwritten yet.
    const isOld = !frame.subarray(8, 16).equals(salts);
    if (damagedAt === -1) {
      const next = checksum(frame.subarray(FRAME_HEAD), isBig, checksum(frame.subarray(0, 8), isBig, sum));
      const holds = !isOld && next[0] === frame.readUInt32BE(16) && next[1] === frame.readUInt32BE(20);
      sum = next;
      if (holds) continue;
      damagedAt = at;
      // It ends a transaction, by what can be read of it: those behind it are later ones.
      if (frame.readUInt32BE(4) !== 0) ended += 1;
      continue;
    }
    if (isOld) continue;
    if (ended > 0) return `byte ${damagedAt} of its WAL is damaged, and whole transactions follow`;
    if (frame.readUInt32BE(4) !== 0) ended += 1;
  }
  return null;
}
