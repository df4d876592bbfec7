import type { DatabaseSync } from 'node:sqlite';
import { compareText } from '../../../protocol/compare-scalars.ts';
import type { TableInfo } from '../engine.ts';
import type { WrittenKey } from '../sql/dialect.ts';
import { quoteIdentifier } from './sqlite-text.ts';

/** Where the values that a row is sorted by begin in it: after its JSON and the outcome of its check. */
export const FIRST_KEY = 2;

/** How long a value is that is kept for sorting: numbers cost what an object of them does. */
export const keySize = (value: unknown): number =>
  typeof value === 'string' || value instanceof Uint8Array ? value.length : 8;

type Fold = (text: string) => string;

const BINARY: Fold = (text) => text;
const NOCASE: Fold = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
const RTRIM: Fold = (text) => text.replace(/ +$/, '');

/**
 * By which collation a column sorts, of the three that SQLite has by itself: nothing says so of a column that is in no
 * index, but a union leaves out what is equal under that of its first part.
 */
function foldOf(database: DatabaseSync, table: TableInfo, column: string): Fold {
  const [name, from] = [quoteIdentifier(column), quoteIdentifier(table.name)];
  const are = (text: string): string =>
    `(SELECT count(*) FROM (SELECT ${name} FROM ${from} WHERE 0 UNION SELECT 'a' UNION SELECT '${text}'))`;
  const found = database.prepare(`SELECT ${are('A')} AS nocase, ${are('a ')} AS rtrim`).get();
  if (found?.nocase === 1) return NOCASE;
  return found?.rtrim === 1 ? RTRIM : BINARY;
}

/** SQLite's storage classes in their order: numbers, texts, blobs. NULL stands where it is asked for. */
function classOf(value: unknown): number {
  if (typeof value === 'string') return 1;
  return value instanceof Uint8Array ? 2 : 0;
}

function compare(left: unknown, right: unknown, fold: Fold): number {
  const by = classOf(left) - classOf(right);
  if (by !== 0) return by;
  if (typeof left === 'string' && typeof right === 'string') return compareText(fold(left), fold(right));
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right);
  const [a, b] = [left, right] as readonly [number | bigint, number | bigint]; // what else of that class there is
  return a < b ? -1 : Number(a > b);
}

interface Key extends WrittenKey {
  readonly fold: Fold;
}

/** Sorts rows of a write as SQLite sorts those of a read: RETURNING knows no order. */
export class RowOrder {
  readonly #keys: readonly Key[];

  constructor(keys: readonly Key[]) {
    this.#keys = keys;
  }

  sort<Row extends readonly unknown[]>(rows: readonly Row[]): readonly Row[] {
    return rows.length < 2 ? rows : rows.toSorted((left, right) => this.#compare(left, right));
  }

  #compare(left: readonly unknown[], right: readonly unknown[]): number {
    for (const [index, { direction, nulls, fold }] of this.#keys.entries()) {
      const [a = null, b = null] = [left[FIRST_KEY + index], right[FIRST_KEY + index]];
      if (a === null || b === null) {
        if (a === b) continue;
        return (a === null) === (nulls === 'first') ? -1 : 1;
      }
      const by = compare(a, b, fold);
      if (by !== 0) return direction === 'asc' ? by : -by;
    }
    return 0;
  }
}

export const rowOrder = (database: DatabaseSync, table: TableInfo, keys: readonly WrittenKey[]): RowOrder =>
  new RowOrder(
    keys.map((key) => ({
      ...key,
      fold: key.column === null ? BINARY : foldOf(database, table, key.column),
    })),
  );
