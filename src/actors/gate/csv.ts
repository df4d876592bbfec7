import { parseExact, stringifyExact } from '../../protocol/exact-json.ts';
import type { JsonValue, Row } from '../../protocol/query.ts';

function cell(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'object' ? stringifyExact(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A JSON array of rows as CSV (RFC 4180) with a header line; nothing at all where there is no row. */
export function toCsv(json: string): string {
  // The engine's own output: an array of row objects.
  const rows = parseExact(json) as readonly Row[];
  const [first] = rows;
  if (first === undefined) return '';
  const names = Object.keys(first);
  const lines = [names.map(cell).join(',')];
  for (const row of rows) lines.push(names.map((name) => cell(row[name])).join(','));
  return lines.join('\n');
}
