import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const ALPHABET = `${LETTERS}0123456789`;
const REF_CHARS = 16;

/**
 * A project's reference: 16 of [a-z0-9], a letter first, so that it can stand in a host name, a file name and an
 * unquoted SQL identifier. 80 random bits: no project can be guessed from another.
 */
export function makeRef(host: Host): string {
  let ref = '';
  while (ref.length < REF_CHARS) {
    for (const byte of host.randomBytes(REF_CHARS)) {
      const alphabet = ref === '' ? LETTERS : ALPHABET;
      // Bytes beyond the last whole multiple would make the first letters likelier.
      if (byte >= 256 - (256 % alphabet.length)) continue;
      ref += alphabet[byte % alphabet.length];
      if (ref.length === REF_CHARS) break;
    }
  }
  return ref;
}

/** The name in its one spelling (NFC). Throws MAG_BAD_REQUEST. */
export function checkName(name: unknown): string {
  const refuse = (problem: string): MagError => new MagError('MAG_BAD_REQUEST', { problem });
  if (typeof name !== 'string') throw refuse('name must be text');
  const normal = name.normalize('NFC');
  const length = [...normal].length;
  if (length < 1 || length > LIMITS.projectNameChars) {
    throw refuse(`name must have 1 to ${LIMITS.projectNameChars} characters`);
  }
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(normal)) throw refuse('name must not hold control characters');
  if (normal.trim() !== normal) throw refuse('name must not begin or end with a space');
  return normal;
}
