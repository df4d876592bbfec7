import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { parseExact, stringifyExact } from '../../protocol/exact-json.ts';
import type { JsonValue, Row } from '../../protocol/query.ts';

/** JSON as PostgreSQL writes it, with a space behind `:` and `,`. */
function spaced(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return stringifyExact(value);
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${spaced(member)}`);
  return `{${members.join(', ')}}`;
}

/** Quoted also where PostgreSQL's rows are, so that an empty text is none of the nulls. */
function cell(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'object' ? spaced(value) : String(value);
  return text === '' || /[",()\s\\]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const heading = (name: string): string => (/[",\r\n]/.test(name) ? cell(name) : name);

const isRow = (value: JsonValue): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a function gave that are no rows, as PostgREST names their one column. */
const asRow = (value: JsonValue): Row => (isRow(value) ? value : { pgrst_scalar: value });

/** A JSON array of rows, or what a function gave, as CSV (RFC 4180) with a header line; nothing where there is no row. */
export function toCsv(json: string): string {
  // The engine's own output.
  const value = parseExact(json) as JsonValue;
  const rows = (Array.isArray(value) ? value : [value]).map(asRow);
  const [first] = rows;
  if (first === undefined) return '';
  const names = Object.keys(first);
  const lines = [names.map(heading).join(',')];
  for (const row of rows) lines.push(names.map((name) => cell(row[name])).join(','));
  return lines.join('\n');
}

const invalid = (problem: string): MagError => new MagError('PGRST102', { problem });

/** Reads CSV (RFC 4180) record by record. */
class CsvReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  done(): boolean {
    return this.#at >= this.#text.length;
  }

  record(): string[] {
    const fields: string[] = [];
    do fields.push(this.#field());
    while (this.#take(','));
    if (!this.done() && !this.#take('\r\n') && !this.#take('\n')) {
      throw invalid(
        `The CSV cannot be read: a quoted field is followed by text, at character ${this.#at + 1}`,
      );
    }
    return fields;
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #field(): string {
    if (this.#take('"')) return this.#quoted();
    const start = this.#at;
    while (this.#at < this.#text.length && !this.#ends()) this.#at += 1;
    return this.#text.slice(start, this.#at);
  }

  #ends(): boolean {
    const character = this.#text.charAt(this.#at);
    if (character === '\r') return this.#text.charAt(this.#at + 1) === '\n';
    return character === ',' || character === '\n';
  }

  #quoted(): string {
    let value = '';
    for (;;) {
      const end = this.#text.indexOf('"', this.#at);
      if (end === -1) throw invalid('The CSV cannot be read: a quote is not closed');
      value += this.#text.slice(this.#at, end);
      this.#at = end + 1;
      if (!this.#take('"')) return value;
      value += '"';
    }
  }
}

const asValue = (text: string): JsonValue => (text === 'NULL' ? null : text);

/** Rows of a CSV body, by the names of its first line; `NULL` is none. Throws PGRST102. */
export function parseCsv(text: string): readonly Row[] {
  const reader = new CsvReader(text);
  if (reader.done()) throw invalid('The CSV has no header line');
  const names = reader.record();
  if (new Set(names).size < names.length) throw invalid('The CSV names a column twice');
  const rows: Row[] = [];
  while (!reader.done()) {
    if (rows.length === LIMITS.insertRows) throw invalid(`more than ${LIMITS.insertRows} rows`);
    const fields = reader.record();
    if (fields.length !== names.length) throw invalid('All lines must have same number of fields');
    rows.push(Object.fromEntries(names.map((name, at) => [name, asValue(fields[at] ?? '')])));
  }
  return rows;
}
