/** Bytes of a value of each BSON type that has one size. */
const FIXED: Readonly<Record<number, number>> = {
  1: 8,
  6: 0,
  7: 12,
  8: 1,
  9: 8,
  10: 0,
  16: 4,
  17: 8,
  18: 8,
  19: 16,
  127: 0,
  255: 0,
};

/** Where a value that begins at `at` ends; -1 for a type that is not walked over. */
function endOf(bytes: Buffer, type: number, at: number): number {
  const fixed = FIXED[type];
  if (fixed !== undefined) return at + fixed;
  switch (type) {
    case 2: // string
    case 13: // code
    case 14: // symbol
      return at + 4 + bytes.readInt32LE(at);
    case 3: // object
    case 4: // array
      return at + bytes.readInt32LE(at);
    case 5: // binary
      return at + 5 + bytes.readInt32LE(at);
    default:
      return -1;
  }
}

/**
 * The top-level fields of these names, as the bytes that are stored: a page of documents is projected without being
 * decoded. Null where a field is of a type that is not walked over; the caller decodes then.
 */
export function pickFields(bytes: Buffer, names: ReadonlySet<string>): Buffer | null {
  const kept: Buffer[] = [];
  const end = bytes.length - 1;
  let size = 5;
  let all = true;
  for (let at = 4; at < end; ) {
    const type = bytes[at] ?? 0;
    const stop = bytes.indexOf(0, at + 1);
    const next = endOf(bytes, type, stop + 1);
    if (next === -1) return null;
    if (names.has(bytes.toString('utf8', at + 1, stop))) {
      kept.push(bytes.subarray(at, next));
      size += next - at;
    } else all = false;
    at = next;
  }
  if (all) return bytes;
  const picked = Buffer.allocUnsafe(size);
  picked.writeInt32LE(size, 0);
  let at = 4;
  for (const element of kept) {
    picked.set(element, at);
    at += element.length;
  }
  picked[at] = 0;
  return picked;
}
