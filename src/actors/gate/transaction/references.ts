import { MagError } from '../../../errors.ts';
import { parseExact } from '../../../protocol/exact-json.ts';
import type { CallQuery, Filter, JsonValue, Query, Row } from '../../../protocol/query.ts';
import type { QueryResult } from '../../storage/engine.ts';

/** A cell of an earlier operation's rows. */
interface Reference {
  /** As the body wrote it: `order.0.id`. */
  readonly text: string;
  readonly operation: number;
  readonly row: number;
  readonly column: string;
}

type Members = { readonly [key: string]: JsonValue };

export const isMembers = (value: JsonValue | undefined): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const invalid = (ref: string, problem: string): MagError =>
  new MagError('MAG_REFERENCE_INVALID', { ref: ref.slice(0, 200), problem });

const isIndex = (text: string): boolean => /^\d{1,6}$/.test(text);

/** The one member of an object that has just it, else undefined. */
function only(value: JsonValue, key: string): JsonValue | undefined {
  return isMembers(value) && Object.hasOwn(value, key) && Object.keys(value).length === 1
    ? value[key]
    : undefined;
}

/**
 * The references of one transaction. While its queries are planned and authorised, each stands in them as a text
 * that no client can know; `bind` then puts the values in, as values: nothing of them is ever parsed.
 */
export class References {
  readonly #names: ReadonlyMap<string, number>;
  readonly #mark: string;
  readonly #found: Reference[] = [];
  /** Operations whose rows are referred to. */
  readonly operations = new Set<number>();

  /**
   * @param names place of each operation that has a name.
   * @param secret unguessable, new for each transaction.
   */
  constructor(names: ReadonlyMap<string, number>, secret: Uint8Array) {
    this.#names = names;
    this.#mark = `\u0000ref:${Buffer.from(secret).toString('base64url')}:`;
  }

  /**
   * The value of a column, or what stands for it until it is known. `{"$ref": "order.0.id"}` is a reference, and
   * `{"$value": …}` what is in it, for JSON that would look like one; both only as the whole value of a column.
   * Throws MAG_REFERENCE_INVALID where it names no operation before `at`.
   */
  read(value: JsonValue, at: number): JsonValue {
    const reference = only(value, '$ref');
    if (reference !== undefined) return this.#add(reference, at);
    const literal = only(value, '$value');
    return literal === undefined ? value : literal;
  }

  #add(text: JsonValue, at: number): string {
    if (typeof text !== 'string') throw invalid(JSON.stringify(text) ?? '', 'it is no text');
    const first = text.indexOf('.');
    const second = text.indexOf('.', first + 1);
    // What comes after the second dot is the column, whatever it holds.
    const [name, row, column] = [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)];
    if (first <= 0 || second === -1 || !isIndex(row) || column === '')
      throw invalid(text, 'expected "operation.row.column"');
    const operation = isIndex(name) ? Number(name) : this.#names.get(name);
    if (operation === undefined) throw invalid(text, `no operation is named ${name}`);
    if (operation >= at) throw invalid(text, 'only an earlier operation can be referred to');
    this.operations.add(operation);
    this.#found.push({ text, operation, row: Number(row), column });
    return `${this.#mark}${this.#found.length - 1}`;
  }

  /** The query with the values of earlier results in place of its references. Throws MAG_REFERENCE_INVALID. */
  bind(query: Query | CallQuery, results: readonly QueryResult[]): Query | CallQuery {
    if (this.#found.length === 0) return query;
    const rows = new Map<number, readonly Row[]>();
    const look = (value: JsonValue): JsonValue => this.#look(value, results, rows);
    const row = (cells: Row): Row =>
      Object.fromEntries(Object.entries(cells).map(([name, value]) => [name, look(value)]));
    if (query.kind === 'insert') return { ...query, rows: query.rows.map(row) };
    const where =
      query.where === undefined ? {} : { where: bindFilter(query.where, (text) => this.#text(text, look)) };
    if (query.kind === 'call') {
      const { arguments: given } = query;
      // By name alone, as a transaction gives them.
      const bound = given.kind === 'named' ? { ...given, values: row(given.values) } : given;
      return { ...query, ...where, arguments: bound };
    }
    return query.kind === 'update' ? { ...query, set: row(query.set), ...where } : { ...query, ...where };
  }

  #reference(value: JsonValue): Reference | undefined {
    if (typeof value !== 'string' || !value.startsWith(this.#mark)) return undefined;
    return this.#found[Number(value.slice(this.#mark.length))];
  }

  #look(value: JsonValue, results: readonly QueryResult[], known: Map<number, readonly Row[]>): JsonValue {
    const reference = this.#reference(value);
    if (reference === undefined) return value;
    const { operation, row, column, text } = reference;
    let rows = known.get(operation);
    if (rows === undefined) {
      // The engine's own output: an array of row objects.
      rows = parseExact(results[operation]?.json ?? '[]') as readonly Row[];
      known.set(operation, rows);
    }
    const found = rows[row];
    if (found === undefined) throw invalid(text, `operation ${operation} gave ${rows.length} rows`);
    if (!Object.hasOwn(found, column)) throw invalid(text, `operation ${operation} gave no column ${column}`);
    return found[column] ?? null;
  }

  #text(value: string, look: (value: JsonValue) => JsonValue): string {
    const reference = this.#reference(value);
    if (reference === undefined) return value;
    const text = filterText(look(value));
    if (text === null)
      throw invalid(reference.text, 'it is null, or no single value: nothing compares to it');
    return text;
  }
}

/** A JSON value as a filter holds it; null for what is no single value. */
export function filterText(value: JsonValue): string | null {
  return typeof value === 'object' ? null : String(value);
}

function bindFilter(filter: Filter, text: (value: string) => string): Filter {
  if (filter.kind === 'compare') return { ...filter, value: text(filter.value) };
  if (filter.kind === 'in') return { ...filter, values: filter.values.map(text) };
  if (filter.kind !== 'and' && filter.kind !== 'or') return filter;
  return { ...filter, terms: filter.terms.map((term) => bindFilter(term, text)) };
}
