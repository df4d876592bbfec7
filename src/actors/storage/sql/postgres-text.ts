import { MagError } from '../../../errors.ts';
import { AFFECTED_MARK, CHECK_MARK, SINGLE_MARK } from '../postgres/failures.ts';

// A NUL would end the statement's text on the wire.
function withoutNul(text: string): string {
  if (text.includes('\0')) throw new MagError('PGRST100', { what: 'a name: it holds a NUL', column: 1 });
  return text;
}

/** The one function through which a name reaches PostgreSQL's text. */
export const quoteIdentifier = (name: string): string => `"${withoutNul(name).replaceAll('"', '""')}"`;

/** A JSON key or a search configuration as a literal, whatever `standard_conforming_strings` says. */
export function quoteText(text: string): string {
  const quoted = withoutNul(text).replaceAll("'", "''");
  return quoted.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

/** NULL counts as a violation. The text is no number, so that reading it as one ends the statement, and undoes it. */
export const enforce = (checked: string): string =>
  `(CASE WHEN ${checked} IS TRUE THEN '1' ELSE '${CHECK_MARK}' END)::int2`;

/** Raises, with the number of rows in its message, where the statement touched more than one. */
export const enforceSingle = (from: string): string =>
  `(CASE WHEN (SELECT count(*) FROM ${from}) < 2 THEN '1' ELSE ` +
  `'${SINGLE_MARK}' || (SELECT count(*) FROM ${from}) END)::int2`;

/** The same where it touched more than `most`, a placeholder. */
export const enforceMost = (from: string, most: string): string =>
  `(CASE WHEN (SELECT count(*) FROM ${from}) <= ${most} THEN '1' ELSE ` +
  `'${AFFECTED_MARK}' || (SELECT count(*) FROM ${from}) END)::int2`;

/** Rows that the statement's upsert wrote over. Set to 0 for its transaction before it. */
export const MERGED = 'magmobo.merged';

/** How many these are. */
export const mergedCount = `pg_catalog.current_setting('${MERGED}')`;

/** Holds of every row that is written over, and counts it. */
export const countMerged = `pg_catalog.set_config('${MERGED}', (${mergedCount}::int8 + 1)::text, true) IS NOT NULL`;

/** A column for the count, of which the last row's is the whole. */
export const mergedColumn = (merges: boolean): string => (merges ? `, ${mergedCount}` : '');
