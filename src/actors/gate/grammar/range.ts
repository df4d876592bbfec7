import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';

export interface Window {
  readonly offset: number;
  readonly limit: number;
}

/** Digits from `start` up to `stop` (exclusive), or -1 where there is anything else. */
function digits(text: string, start: number, stop: number): number {
  if (stop <= start || stop - start > 15) return -1;
  let value = 0;
  for (let at = start; at < stop; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * Which rows a read asks for: `limit`/`offset` of the query, intersected with a `Range: 0-9` or `Range: 5-` header.
 * As PostgREST, a header that is no range of rows is ignored, and one that ends before it starts is a 416. Never more
 * than `most` rows.
 */
export function windowOf(
  limit: number | null,
  offset: number | null,
  header: string | undefined,
  most: number = LIMITS.maxRows,
): Window {
  let first = offset ?? 0;
  let last = limit === null ? Number.POSITIVE_INFINITY : first + limit - 1;
  if (header !== undefined) {
    const dash = header.indexOf('-');
    const lower = digits(header, 0, dash);
    const open = dash === header.length - 1;
    const upper = open ? Number.POSITIVE_INFINITY : digits(header, dash + 1, header.length);
    if (lower >= 0 && upper >= 0) {
      if (upper < lower) {
        const details =
          'The lower boundary must be lower than or equal to the upper boundary in the Range header.';
        throw new MagError('PGRST103', {}, { details });
      }
      first = Math.max(first, lower);
      last = Math.min(last, upper);
      if (last < first && limit !== 0) {
        throw new MagError('PGRST103', {}, { details: 'Limit should be greater than or equal to zero.' });
      }
    }
  }
  return { offset: first, limit: Math.max(0, Math.min(most, last - first + 1)) };
}
