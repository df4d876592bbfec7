import { DatabaseError } from '../../../errors.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { JsonValue } from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';

/** The id that a document is written under: its own, or a new one where it has none. Throws 22P02, 22003. */
export function documentId(given: JsonValue | undefined, host: Host): string | number {
  if (given === undefined || given === null) return newId(host);
  if (typeof given === 'number') return given === 0 ? 0 : given;
  if (typeof given === 'bigint')
    throw new DatabaseError('22003', 'A number as an id is at most 2^53; a longer one is a text');
  if (typeof given !== 'string') throw new DatabaseError('22P02', 'An id is a number or a text');
  if (given === '' || given.length > REDIS_LIMITS.idChars || !given.isWellFormed())
    throw new DatabaseError('22P02', `An id has 1 to ${REDIS_LIMITS.idChars} characters`);
  return given;
}

/** A UUID of version 7: those made later sort later, so that documents come in the order they were made in. */
function newId(host: Host): string {
  const bytes = Buffer.from(host.randomBytes(16));
  bytes.writeUIntBE(host.wallTime(), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
