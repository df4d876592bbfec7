import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { parseExact } from '../../../protocol/exact-json.ts';
import type { Filter, JsonValue, Row } from '../../../protocol/query.ts';
import type { JsonRows } from './json-rows.ts';
import type { MysqlTable } from './schema.ts';

export function keysOf(rows: JsonRows): readonly Row[] {
  if (rows.overflow) throw new MagError('MAG_RESULT_TOO_LARGE', { limit: `${LIMITS.maxRows} rows` });
  return parseExact(rows.json) as unknown as readonly Row[]; // Made by the statement: objects of the key's columns.
}

export const primaryKey = (table: MysqlTable): readonly string[] =>
  table.columns
    .filter((column) => column.primaryKey > 0)
    .sort((a, b) => a.primaryKey - b.primaryKey)
    .map((column) => column.name);

export const pick = (row: Row, names: readonly string[]): Row =>
  Object.fromEntries(
    names.filter((name) => Object.hasOwn(row, name)).map((name) => [name, row[name] ?? null]),
  );

const textOf = (value: JsonValue | undefined): string => String(value ?? '');

const equal = (name: string, value: JsonValue | undefined): Filter => ({
  ...{ kind: 'compare', column: { name }, op: 'eq', value: textOf(value), negated: false },
});

/** Rows with these values; null where one is NULL, which equals nothing. */
export function equals(names: readonly string[], row: Row): Filter | null {
  if (names.some((name) => (row[name] ?? null) === null)) return null;
  return { kind: 'and', terms: names.map((name) => equal(name, row[name])), negated: false };
}

export function keyFilter(primary: readonly string[], keys: readonly Row[]): Filter {
  const [only] = primary;
  if (primary.length === 1 && only !== undefined)
    return {
      kind: 'in',
      column: { name: only },
      values: keys.map((key) => textOf(key[only])),
      negated: false,
    };
  const terms = keys.map(
    (key): Filter => ({ kind: 'and', terms: primary.map((name) => equal(name, key[name])), negated: false }),
  );
  return { kind: 'or', terms, negated: false };
}

export function chunks<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  const result: (readonly Item[])[] = [];
  for (let at = 0; at < items.length; at += size) result.push(items.slice(at, at + size));
  return result;
}

/** As many as a power of two, the last again and again: few numbers of keys make few statements. */
export function padded(keys: readonly Row[]): readonly Row[] {
  const last = keys.at(-1);
  const size = 2 ** Math.ceil(Math.log2(Math.max(1, keys.length)));
  return last === undefined ? keys : [...keys, ...Array.from({ length: size - keys.length }, () => last)];
}
