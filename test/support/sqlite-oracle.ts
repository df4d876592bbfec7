import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Filter } from '../../src/protocol/query.ts';

/** A row of the oracle's table: an integer, a text and a real column, each of them nullable. */
export interface OracleRow {
  readonly id: number;
  readonly n: number | null;
  readonly t: string | null;
  readonly r: number | null;
}

const OPERATORS = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** SQL of a filter, written without any of the code under test. */
function print(filter: Filter, values: SQLInputValue[]): string {
  const not = filter.negated ? 'NOT ' : '';
  switch (filter.kind) {
    case 'and':
    case 'or': {
      if (filter.terms.length === 0) return `${not}(${filter.kind === 'and' ? '1' : '0'})`;
      const glue = filter.kind === 'and' ? ' AND ' : ' OR ';
      return `${not}(${filter.terms.map((term) => print(term, values)).join(glue)})`;
    }
    case 'is': {
      const words = { null: 'NULL', unknown: 'NULL', not_null: 'NOT NULL', true: 'TRUE', false: 'FALSE' };
      return `${not}("${filter.column.name}" IS ${words[filter.value]})`;
    }
    case 'in':
      values.push(...filter.values);
      return `${not}("${filter.column.name}" IN (${filter.values.map(() => '?').join(',')}))`;
    case 'compare': {
      values.push(filter.value);
      if (filter.op === 'ilike') return `${not}("${filter.column.name}" LIKE ? ESCAPE '\\')`;
      if (filter.op === 'like') throw new Error("SQLite's LIKE is ilike");
      return `${not}("${filter.column.name}" ${OPERATORS[filter.op as keyof typeof OPERATORS]} ?)`;
    }
    default:
      throw new Error(`no reference for ${filter.kind}`);
  }
}

/** What real SQLite says: the ids of the rows that each filter selects. */
export class SqliteOracle {
  readonly #database = new DatabaseSync(':memory:');

  constructor() {
    this.#database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, n INTEGER, t TEXT, r REAL)');
  }

  load(rows: readonly OracleRow[]): void {
    this.#database.exec('DELETE FROM rows');
    const insert = this.#database.prepare('INSERT INTO rows VALUES (?, ?, ?, ?)');
    for (const { id, n, t, r } of rows) insert.run(id, n, t, r);
  }

  select(filter: Filter): number[] {
    const values: SQLInputValue[] = [];
    const sql = `SELECT id FROM rows WHERE ${print(filter, values)} ORDER BY id`;
    return this.#database
      .prepare(sql)
      .all(...values)
      .map((row) => Number(row.id));
  }

  close(): void {
    this.#database.close();
  }
}
