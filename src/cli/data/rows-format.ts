import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import { MagError } from '../../errors.ts';
import { parseExact, stringifyExact } from '../../protocol/exact-json.ts';
import type { JsonValue, Row } from '../../protocol/query.ts';

export type Format = 'csv' | 'jsonl';

/** By what is asked for, else by the file's name. Throws MAG_USAGE. */
export function formatOf(asked: string | undefined, file: string): Format {
  const word = asked ?? /\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? '';
  if (word === 'csv') return 'csv';
  if (word === 'jsonl' || word === 'ndjson') return 'jsonl';
  throw new MagError('MAG_USAGE', {
    problem: `${asked ?? file} is neither csv nor jsonl: say which with --format`,
  });
}

/** @param json the column holds JSON: a text in it is written as JSON, too */
function csvCell(value: JsonValue | undefined, json = false): string {
  if (value === null || value === undefined) return '';
  const text = json || typeof value === 'object' ? stringifyExact(value) : String(value);
  // An empty cell is NULL: an empty text is quoted, as PostgreSQL's COPY writes both.
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows as lines, each with its line end; for CSV under the names of the first row, which must then be the same. */
export function writeRows(
  format: Format,
  rows: readonly Row[],
  names: readonly string[],
  json: ReadonlySet<string>,
): string {
  const line = (row: Row): string =>
    format === 'jsonl'
      ? stringifyExact(row)
      : names.map((name) => csvCell(row[name], json.has(name))).join(',');
  return rows.map((row) => `${line(row)}\n`).join('');
}

export const csvHeader = (names: readonly string[]): string =>
  `${names.map((name) => csvCell(name)).join(',')}\n`;

async function* jsonLines(file: string): AsyncGenerator<Row> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1;
    if (line.trim() === '') continue;
    let row: unknown;
    try {
      row = parseExact(line);
    } catch {
      row = null;
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row))
      throw new MagError('MAG_USAGE', { problem: `line ${number} of ${file} is no JSON object` });
    yield row as Row; // parseExact gives JSON values, and this one is an object
  }
}

async function* csvRows(file: string): AsyncGenerator<Row> {
  // Whether a cell was quoted tells an empty text from NULL.
  const cells = parse({
    bom: true,
    columns: true,
    cast: (value, context) => (value === '' && !context.quoting && !context.header ? null : value),
  });
  const records = createReadStream(file)
    .on('error', (error) => cells.destroy(error))
    .pipe(cells);
  try {
    for await (const record of records) yield record as Row; // texts and nulls by column, as `columns` and `cast` say
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('CSV_'))
      throw new MagError('MAG_USAGE', { problem: `${file}: ${cause.message}` }, { cause });
    throw cause;
  }
}

/** A file's rows, in order. CSV gives texts, which the database reads under its columns' types. Throws MAG_USAGE. */
export const readRows = (format: Format, file: string): AsyncGenerator<Row> =>
  format === 'csv' ? csvRows(file) : jsonLines(file);
