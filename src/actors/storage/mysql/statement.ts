import { DatabaseError } from '../../../errors.ts';
import type { JsonValue, Query, Row } from '../../../protocol/query.ts';
import type { CompiledStatement, Param } from '../sql/dialect.ts';
import { valueText } from '../sql/dialect-mysql.ts';
import { PLACE_MARK } from '../sql/mysql-text.ts';
import type { QueryValue } from '../sql/query-shape.ts';
import { type BoundValue, filterValue, storedValue } from './binding.ts';

/** What the driver runs. */
export interface Bound {
  readonly sql: string;
  readonly values: readonly BoundValue[];
}

/** One place of the final text: the parameter, and for a cell the row it is of. */
interface Place {
  readonly param: Param;
  readonly row: number;
  /** Of a list with a quantifier: what each item stands between. */
  readonly each: { readonly quantifier: string; readonly before: string; readonly after: string } | null;
}

/** What stands in a mark: a parameter's number, and for a quantified list how its items are compared. */
const MARK = /^(\d+)(?: (any|all) (\d+):([\s\S]*))?$/;

function placeOf(mark: string, params: readonly Param[], rows: readonly number[]): Place {
  const [, position, quantifier, length = '0', text = ''] = MARK.exec(mark) ?? [];
  const at = Number(position) - 1;
  const param = params[at];
  if (param === undefined || param.kind === 'rows')
    throw new DatabaseError('XX000', 'a placeholder without a value');
  const [before, after] = [text.slice(0, Number(length)), text.slice(Number(length))];
  return { param, row: rows[at] ?? 0, each: quantifier === undefined ? null : { quantifier, before, after } };
}

/** An empty list is a query without rows: `x IN (NULL)` would be unknown, and not false. */
const EMPTY_LIST = 'SELECT NULL FROM DUAL WHERE FALSE';

/** Texts of one statement for lists of different lengths; lengths are rounded up to powers of two. */
const LIST_TEXTS = 16;

const bucket = (length: number): number => (length === 0 ? 0 : 2 ** Math.ceil(Math.log2(length)));

const listOf = (value: QueryValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);

/**
 * A compiled statement with its marks in order. Lists are spelled out, a placeholder an item: the optimizer sees them as
 * it sees literals, and uses indexes.
 */
export class MysqlStatement {
  readonly compiled: CompiledStatement;
  readonly #texts: readonly string[];
  readonly #places: readonly Place[];
  readonly #hasLists: boolean;
  readonly #rendered = new Map<string, string>();

  constructor(compiled: CompiledStatement) {
    this.compiled = compiled;
    const parts = compiled.sql.split(PLACE_MARK);
    this.#texts = parts.filter((_, at) => at % 2 === 0);
    const rows = rowsOfCells(compiled);
    this.#places = parts.filter((_, at) => at % 2 === 1).map((mark) => placeOf(mark, compiled.params, rows));
    this.#hasLists = this.#places.some(({ param }) => isList(param));
  }

  /** Fills the places from a query of its shape. Throws 22P02 and its kin where a value is none of its column's type. */
  bind(query: Query, values: readonly QueryValue[]): Bound {
    const rows = query.kind === 'insert' ? query.rows : [];
    const lengths: number[] = [];
    const bound: BoundValue[] = [];
    for (const { param, row } of this.#places) {
      if (param.kind === 'value' && isList(param)) {
        const read = (item: JsonValue): BoundValue =>
          param.form === 'patterns' ? String(item) : filterValue(param.column, String(item));
        const items = listOf(values[param.index]).map(read);
        const length = bucket(items.length);
        lengths.push(length);
        // The last one again and again: IN does not care.
        for (let at = 0; at < length; at += 1) bound.push(items[Math.min(at, items.length - 1)] ?? null);
      } else bound.push(placedValue(param, values, rows[row]));
    }
    return { sql: this.#text(lengths), values: bound };
  }

  #text(lengths: readonly number[]): string {
    const key = this.#hasLists ? lengths.join() : '';
    const known = this.#rendered.get(key);
    if (known !== undefined) return known;
    if (this.#rendered.size >= LIST_TEXTS) this.#rendered.clear();
    let list = 0;
    let text = this.#texts[0] ?? '';
    for (const [at, { param, each }] of this.#places.entries()) {
      const form = param.kind === 'value' ? param.form : 'cell';
      const column = param.kind === 'rows' ? null : param.column;
      const one = valueText(form, column);
      if (isList(param)) {
        text += each === null ? itemsText(one, lengths[list] ?? 0) : eachText(one, each, lengths[list] ?? 0);
        list += 1;
      } else text += one;
      text += this.#texts[at + 1] ?? '';
    }
    this.#rendered.set(key, text);
    return text;
  }
}

const isList = (param: Param): boolean =>
  param.kind === 'value' && (param.form === 'list' || param.form === 'patterns');

const itemsText = (one: string, length: number): string =>
  length === 0 ? EMPTY_LIST : Array.from({ length }, () => one).join(', ');

/** An empty list settles it by itself, whatever it is compared with, as in PostgreSQL. */
function eachText(
  one: string,
  { quantifier, before, after }: NonNullable<Place['each']>,
  length: number,
): string {
  if (length === 0) return quantifier === 'any' ? '1 = 0' : '1 = 1';
  const joined = Array.from({ length }, () => `${before}${one}${after}`);
  return `(${joined.join(quantifier === 'any' ? ' OR ' : ' AND ')})`;
}

/** Cells come row by row: which row each parameter is of. */
function rowsOfCells({ params, columns }: CompiledStatement): readonly number[] {
  let cells = 0;
  return params.map((param) => {
    if (param.kind !== 'cell') return 0;
    cells += 1;
    return Math.floor((cells - 1) / Math.max(1, columns.length));
  });
}

function placedValue(param: Param, values: readonly QueryValue[], row: Row | undefined): BoundValue {
  if (param.kind === 'rows') return null;
  if (param.kind === 'cell') {
    const { name } = param.column;
    // Own members only: a column may be called `constructor`.
    return storedValue(
      param.column,
      row !== undefined && Object.hasOwn(row, name) ? (row[name] ?? null) : null,
    );
  }
  const value = values[param.index] ?? null;
  switch (param.form) {
    case 'json':
      return storedValue(param.column, value);
    case 'text':
      return filterValue(param.column, String(value));
    case 'count':
      return BigInt(Number(value)); // LIMIT takes an integer and no text that looks like one.
    default:
      return String(value);
  }
}
