import { DatabaseError } from '../../../errors.ts';
import type { JsonValue, Query, Row } from '../../../protocol/query.ts';
import type { CompiledStatement, Param } from '../sql/dialect.ts';
import { PLACE_MARK, valueText } from '../sql/dialect-mysql.ts';
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
    this.#places = parts
      .filter((_, at) => at % 2 === 1)
      .map((position) => {
        const at = Number(position) - 1;
        const param = compiled.params[at];
        if (param === undefined || param.kind === 'rows')
          throw new DatabaseError('XX000', 'a placeholder without a value');
        return { param, row: rows[at] ?? 0 };
      });
    this.#hasLists = this.#places.some(({ param }) => param.kind === 'value' && param.form === 'list');
  }

  /** Fills the places from a query of its shape. Throws 22P02 and its kin where a value is none of its column's type. */
  bind(query: Query, values: readonly QueryValue[]): Bound {
    const rows = query.kind === 'insert' ? query.rows : [];
    const lengths: number[] = [];
    const bound: BoundValue[] = [];
    for (const { param, row } of this.#places) {
      if (param.kind === 'value' && param.form === 'list') {
        const items = listOf(values[param.index]).map((item) => filterValue(param.column, String(item)));
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
    for (const [at, { param }] of this.#places.entries()) {
      const form = param.kind === 'value' ? param.form : 'cell';
      const column = param.kind === 'rows' ? null : param.column;
      const one = valueText(form, column);
      if (form === 'list') {
        const length = lengths[list] ?? 0;
        list += 1;
        text += length === 0 ? EMPTY_LIST : Array.from({ length }, () => one).join(', ');
      } else text += one;
      text += this.#texts[at + 1] ?? '';
    }
    this.#rendered.set(key, text);
    return text;
  }
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
    default:
      return String(value);
  }
}
