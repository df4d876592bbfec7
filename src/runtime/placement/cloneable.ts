import { BOUND_HERE } from '../kernel/bound-here.ts';

/** Objects that structured clone takes whole; what is in them needs no look. */
const LEAVES = [ArrayBuffer, SharedArrayBuffer, Date, RegExp, Boolean, Number, String, Error];

function isLeaf(value: object): boolean {
  return ArrayBuffer.isView(value) || LEAVES.some((leaf) => value instanceof leaf);
}

/**
 * Whether a message is an object of strings, finite numbers, booleans and null, which JSON carries exactly as it is.
 * A look at each field, without a call: most messages are of this kind, and need no walk.
 */
export function isFlat(message: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(message);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in message) {
    const value = (message as Readonly<Record<string, unknown>>)[key]; // a key of it
    const type = typeof value;
    if (type === 'string' || type === 'boolean' || value === null) continue;
    // Infinity and NaN are no numbers to JSON, and minus zero loses its sign.
    if (typeof value !== 'number' || value - value !== 0 || Object.is(value, -0)) return false;
  }
  return true;
}

/**
 * The path of the first field that cannot cross a thread (`rows[3].callback`), or null where all can.
 * Costs a walk over plain data, so that the sender learns of it, not a later flush.
 */
export function uncloneableField(value: unknown, path = ''): string | null {
  return walk(value, path, new Set());
}

function walk(value: unknown, path: string, seen: Set<object>): string | null {
  if (typeof value === 'function' || typeof value === 'symbol') return path === '' ? '(the message)' : path;
  if (typeof value !== 'object' || value === null) return null;
  if (seen.has(value)) return null;
  if (isLeaf(value)) return null;
  if (
    value instanceof Promise ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof WeakRef ||
    BOUND_HERE in value
  )
    return path === '' ? '(the message)' : path;
  seen.add(value);
  if (Array.isArray(value)) return walkArray(value, path, seen);
  if (value instanceof Map) return walkArray([...value.keys(), ...value.values()], path, seen);
  if (value instanceof Set) return walkArray([...value], path, seen);
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner !== 'object' && typeof inner !== 'function' && typeof inner !== 'symbol') continue;
    const found = walk(inner, path === '' ? key : `${path}.${key}`, seen);
    if (found !== null) return found;
  }
  return null;
}

function walkArray(items: readonly unknown[], path: string, seen: Set<object>): string | null {
  for (let index = 0; index < items.length; index += 1) {
    const found = walk(items[index], `${path}[${index}]`, seen);
    if (found !== null) return found;
  }
  return null;
}
