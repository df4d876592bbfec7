import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { parseFinite } from '../../protocol/exact-json.ts';
import type { CallArguments, JsonValue, Row, UpdateQuery } from '../../protocol/query.ts';
import { parseCsv } from './csv.ts';
import type { BodyType } from './media-type.ts';

/** Throws MAG_BAD_JSON. */
export function parseJson(text: string): JsonValue {
  try {
    return parseFinite(text);
  } catch (cause) {
    const problem = text === '' ? 'the body is empty' : cause instanceof Error ? cause.message : 'malformed';
    throw new MagError('MAG_BAD_JSON', { problem }, { cause });
  }
}

const invalid = (problem: string, cause?: unknown): MagError =>
  new MagError('PGRST102', { problem }, cause === undefined ? {} : { cause });

function isRow(value: JsonValue | undefined): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same for a body of REST, in PostgREST's words. Throws PGRST102. */
function readJson(text: string): JsonValue {
  try {
    return parseFinite(text);
  } catch (cause) {
    // What is JSON and yet is not taken has its own words.
    throw invalid(cause instanceof RangeError ? cause.message : 'Empty or invalid json', cause);
  }
}

/** What a row lacks and another one has may be a typing error: `columns` says which are meant. */
function requireSameKeys(rows: readonly Row[]): void {
  const [first] = rows;
  if (first === undefined || rows.length === 1) return;
  const names = Object.keys(first);
  for (const row of rows) {
    const same = Object.keys(row).length === names.length && names.every((name) => Object.hasOwn(row, name));
    if (!same) throw invalid('All object keys must match');
  }
}

function rowsOf(value: JsonValue): readonly Row[] {
  if (isRow(value)) return [value];
  if (!Array.isArray(value)) throw invalid('expected an object or an array');
  if (value.length > LIMITS.insertRows) throw invalid(`more than ${LIMITS.insertRows} rows`);
  const rows: Row[] = [];
  for (const row of value) {
    if (!isRow(row)) throw invalid('All object keys must match');
    rows.push(row);
  }
  return rows;
}

/** A form's fields; of a repeated one the last counts, as in an object. */
function parseForm(text: string): [string, string][] {
  const fields = [...new URLSearchParams(text)];
  if (fields.length > LIMITS.selectItems) throw invalid(`more than ${LIMITS.selectItems} fields`);
  return fields;
}

/**
 * The rows of an insert: an object, an array of objects that have the same keys unless `columns` names those that
 * count, CSV, or a form. Throws PGRST102.
 */
export function parseRows(type: BodyType, text: string, columns: readonly string[] | null): readonly Row[] {
  if (type === 'csv') return parseCsv(text);
  if (type === 'form') return [Object.fromEntries(parseForm(text))];
  const rows = rowsOf(readJson(text));
  if (columns === null) requireSameKeys(rows);
  return rows;
}

/**
 * The columns that an update sets: of an array, its first object. A column that it lacks is set to NULL, or to its
 * default where that is what `missing` says.
 */
export function parseChanges(
  type: BodyType,
  text: string,
  columns: readonly string[] | null,
  missing: 'null' | 'default',
): Pick<UpdateQuery, 'set' | 'defaults'> {
  const [row = {}] = parseRows(type, text, columns);
  if (columns === null || Object.keys(row).length === 0) return { set: row };
  const lacks = (name: string): boolean => !Object.hasOwn(row, name);
  const defaults = missing === 'default' ? [...new Set(columns.filter(lacks))] : [];
  const named = columns.filter((name) => !defaults.includes(name));
  const set = Object.fromEntries(named.map((name) => [name, lacks(name) ? null : (row[name] ?? null)]));
  return defaults.length === 0 ? { set } : { set, defaults };
}

/** Arguments by name; those of a repeated one, a variadic parameter's, are an array. */
export function namedArguments(pairs: readonly (readonly [string, string])[]): CallArguments {
  const found = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const before = found.get(name);
    if (before === undefined) found.set(name, value);
    else if (typeof before === 'string') found.set(name, [before, value]);
    else before.push(value);
  }
  return { kind: 'named', values: Object.fromEntries(found), texts: true };
}

/**
 * What the body of a call says: an object's members, a form's fields, or one value for the one parameter that has no
 * name. Throws PGRST102.
 */
export function parseArguments(
  type: BodyType,
  text: string,
  columns: readonly string[] | null,
): CallArguments {
  if (type === 'text' || type === 'xml' || type === 'binary') return { kind: 'body', type, value: text };
  if (type === 'form') return namedArguments(parseForm(text));
  if (type === 'csv') return { kind: 'named', values: parseCsv(text)[0] ?? {}, texts: true };
  const value = text === '' ? {} : readJson(text);
  // Of several sets of arguments the first counts.
  const [first] = Array.isArray(value) ? value : [value];
  if (!isRow(first)) return { kind: 'body', type: 'json', value: text };
  const whole = first === value ? {} : { whole: text };
  if (columns === null) return { kind: 'named', values: first, json: true, ...whole };
  const named = Object.entries(first).filter(([name]) => columns.includes(name));
  return { kind: 'named', values: Object.fromEntries(named), json: true, ...whole };
}
