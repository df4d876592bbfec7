import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { parseFinite } from '../../protocol/exact-json.ts';
import type { JsonValue, Row } from '../../protocol/query.ts';

/** Throws MAG_BAD_JSON. */
export function parseJson(text: string): JsonValue {
  try {
    return parseFinite(text);
  } catch (cause) {
    const problem = text === '' ? 'the body is empty' : cause instanceof Error ? cause.message : 'malformed';
    throw new MagError('MAG_BAD_JSON', { problem }, { cause });
  }
}

function isRow(value: JsonValue | undefined): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The rows of an insert: one object, or an array of them. Throws MAG_BAD_JSON or PGRST102. */
export function parseRows(text: string): readonly Row[] {
  const value = parseJson(text);
  if (isRow(value)) return [value];
  if (!Array.isArray(value)) throw new MagError('PGRST102', { problem: 'expected an object or an array' });
  if (value.length > LIMITS.insertRows) {
    throw new MagError('PGRST102', { problem: `more than ${LIMITS.insertRows} rows` });
  }
  const rows: Row[] = [];
  for (const row of value) {
    if (!isRow(row)) throw new MagError('PGRST102', { problem: 'every row must be an object' });
    rows.push(row);
  }
  return rows;
}

/** The columns that an update sets. Throws MAG_BAD_JSON or PGRST102. */
export function parseChanges(text: string, columns: readonly string[] | null): Row {
  const value = parseJson(text);
  if (!isRow(value)) throw new MagError('PGRST102', { problem: 'expected an object' });
  if (columns === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => columns.includes(name)));
}
