import { editDistance } from '../../protocol/edit-distance.ts';

/** The known word that is closest to what was written; the first one among equals. Words must not be empty. */
export function nearest(written: string, words: readonly string[]): string {
  const lower = written.slice(0, 64).toLowerCase();
  let best = words[0] ?? '';
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const word of words) {
    const distance = editDistance(lower, word.toLowerCase());
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}
