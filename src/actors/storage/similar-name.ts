import { SCHEMA_LIMITS } from '../../limits-schema.ts';
import { editDistance } from '../../protocol/edit-distance.ts';

const WORD_LESS = /[^\p{L}\p{N} ,]/gu;

/** Runs of so many letters that the text is made of. */
function grams(text: string, size: number): ReadonlySet<string> {
  const padded = `-${text.replace(WORD_LESS, '')}-`;
  const found = new Set<string>();
  for (let at = 0; at + size <= padded.length; at += 1) found.add(padded.slice(at, at + size));
  return found;
}

const likeness = (left: string, right: string): number =>
  1 - editDistance(left, right) / Math.max(left.length, right.length, 1);

/**
 * The name that is most like the one that was asked for, as PostgREST finds it for its hints (a fuzzy set: of those that
 * share three letters in a row, else two, the one with the least edit distance to its length). Null where none is as
 * like it as `least` (0 to 1), or where there are so many that looking costs too much.
 */
export function similarName(asked: string, names: readonly string[], least = 0.33): string | null {
  if (names.length > SCHEMA_LIMITS.hintNames) return null;
  const key = asked.slice(0, SCHEMA_LIMITS.hintChars).toLowerCase();
  for (const size of [3, 2]) {
    const own = grams(key, size);
    let best: { readonly name: string; readonly score: number } | null = null;
    for (const name of names) {
      const known = name.slice(0, SCHEMA_LIMITS.hintChars).toLowerCase();
      if (known === key) return name;
      if (![...grams(known, size)].some((gram) => own.has(gram))) continue;
      const score = likeness(key, known);
      if (score >= least && (best === null || score > best.score)) best = { name, score };
    }
    if (best !== null) return best.name;
  }
  return null;
}
