import type { DatabaseSync } from 'node:sqlite';
import type { ColumnInfo, SchemaSnapshot, TableInfo } from '../engine.ts';

/** Names the board keeps to itself inside a project's database: the change log and its triggers. */
export const INTERNAL_PREFIX = '_mag_';

export const isInternalName = (name: string): boolean => name.toLowerCase().startsWith(INTERNAL_PREFIX);

/** What the inline rule must know of a table beyond TableInfo. Structured-cloneable. */
export interface SqliteTable extends TableInfo {
  /** Whether writing one row costs no more than its row and index entries: nothing of the tenant's runs. */
  readonly simpleWrites: boolean;
  /** Whether reading one row costs no more than the row: no view, virtual table or computed column. */
  readonly simpleReads: boolean;
  /** Columns that other tables' foreign keys refer to; changing one may touch any number of rows there. */
  readonly referenced: readonly string[];
}

export interface SqliteSchema extends SchemaSnapshot {
  readonly tables: ReadonlyMap<string, SqliteTable>;
}

type Cells = readonly unknown[];

const rowsOf = (database: DatabaseSync, sql: string, ...params: string[]): readonly Cells[] => {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  // setReturnArrays makes every row an array; the type of all() does not know.
  return statement.all(...params) as unknown as readonly Cells[];
};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Literals and the current-time keywords; anything else runs code for each row. */
const CONSTANT_DEFAULT =
  /^(?:[+-]?[\d.]+(?:e[+-]?\d+)?|'(?:[^']|'')*'|"[^"]*"|x'[0-9a-f]*'|null|true|false|current_(?:time|date|timestamp))$/i;

interface ColumnFacts {
  readonly info: ColumnInfo;
  /** Computed at each read. */
  readonly virtual: boolean;
  /** Whether a write runs an expression for it. */
  readonly computed: boolean;
}

function readColumns(database: DatabaseSync, table: string, withoutRowid: boolean): readonly ColumnFacts[] {
  const rows = rowsOf(
    database,
    'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)',
    table,
  );
  const keyColumns = rows.filter((row) => Number(row[4]) > 0).length;
  return rows
    .filter((row) => row[5] !== 1)
    .map((row) => {
      const primaryKey = Number(row[4]);
      // A lone INTEGER PRIMARY KEY is the rowid itself: never null, and filled in when absent.
      const isRowid =
        primaryKey > 0 && keyColumns === 1 && !withoutRowid && text(row[1]).toUpperCase() === 'INTEGER';
      const generated = row[5] === 2 || row[5] === 3;
      const nullable = row[2] === 0 && !isRowid && !(withoutRowid && primaryKey > 0);
      return {
        info: {
          name: text(row[0]),
          type: text(row[1]),
          nullable,
          hasDefault: row[3] !== null || isRowid || generated,
          primaryKey,
        },
        virtual: row[5] === 2,
        computed: generated || (row[3] !== null && !CONSTANT_DEFAULT.test(text(row[3]).trim())),
      };
    });
}

interface IndexFacts {
  readonly unique: readonly (readonly string[])[];
  /** Whether an index evaluates an expression or a predicate for each row. */
  readonly computed: boolean;
}

function readIndexes(database: DatabaseSync, table: string, primaryKey: readonly string[]): IndexFacts {
  const unique: string[][] = primaryKey.length > 0 ? [[...primaryKey]] : [];
  let computed = false;
  const indexes = rowsOf(database, 'SELECT name, "unique", origin, partial FROM pragma_index_list(?)', table);
  for (const [name, isUnique, origin, partial] of indexes) {
    const columns = rowsOf(database, 'SELECT name FROM pragma_index_info(?) ORDER BY seqno', text(name));
    const names = columns.map((row) => row[0]);
    const plain = names.every((column) => typeof column === 'string');
    if (!plain || partial === 1) computed = true;
    else if (isUnique === 1 && origin !== 'pk') unique.push(names.map(text));
  }
  return { unique, computed };
}

/** Columns of each table (lower-cased name) that foreign keys of the whole schema point at. */
function readReferences(database: DatabaseSync): ReadonlyMap<string, ReadonlySet<string>> {
  const references = new Map<string, Set<string>>();
  const rows = rowsOf(
    database,
    `SELECT lower(f."table"), f."to" FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS f
     WHERE t.schema = 'main' AND t.type = 'table' AND substr(lower(t.name), 1, 5) <> '_mag_'`,
  );
  for (const [target, column] of rows) {
    const columns = references.get(text(target)) ?? new Set();
    // Without a column name the reference is to the primary key: `*` stands for it.
    columns.add(column === null ? '*' : text(column));
    references.set(text(target), columns);
  }
  return references;
}

/** Tables whose trigger or CHECK would run the tenant's code for each row written. */
function readGuarded(database: DatabaseSync): ReadonlySet<string> {
  const guarded = new Set<string>();
  const rows = rowsOf(database, `SELECT type, name, lower(tbl_name), sql FROM main.sqlite_master`);
  for (const [type, name, table, sql] of rows) {
    if (type === 'trigger' && !isInternalName(text(name))) guarded.add(text(table));
    if (type === 'table' && /\bcheck\b/i.test(text(sql))) guarded.add(text(table));
  }
  return guarded;
}

function readTable(
  database: DatabaseSync,
  [name, type, withoutRowid]: Cells,
  guarded: ReadonlySet<string>,
  references: ReadonlyMap<string, ReadonlySet<string>>,
): SqliteTable | null {
  const table = text(name);
  let columns: readonly ColumnFacts[];
  try {
    columns = readColumns(database, table, withoutRowid === 1);
  } catch (error) {
    // A view whose table is gone cannot be described, nor read; the rest of the schema can.
    if (type === 'view') return null;
    throw error;
  }
  const primaryKey = columns
    .filter(({ info }) => info.primaryKey > 0)
    .sort((a, b) => a.info.primaryKey - b.info.primaryKey)
    .map(({ info }) => info.name);
  const isView = type === 'view';
  const indexes = isView ? { unique: [], computed: false } : readIndexes(database, table, primaryKey);
  const computed = indexes.computed || columns.some((column) => column.computed);
  const referenced = references.get(table.toLowerCase()) ?? new Set<string>();
  return {
    schema: 'public',
    name: table,
    kind: isView ? 'view' : 'table',
    columns: columns.map(({ info }) => info),
    unique: indexes.unique,
    simpleReads: type === 'table' && !columns.some((column) => column.virtual),
    simpleWrites: type === 'table' && !computed && !guarded.has(table.toLowerCase()),
    referenced: [...referenced].flatMap((column) => (column === '*' ? primaryKey : [column])),
  };
}

/** Reads the whole schema; internal tables and the shadow tables of virtual ones are left out. */
export function readSchema(database: DatabaseSync): SqliteSchema {
  const version = String(rowsOf(database, 'PRAGMA schema_version')[0]?.[0] ?? 0);
  const guarded = readGuarded(database);
  const references = readReferences(database);
  const tables = new Map<string, SqliteTable>();
  const rows = rowsOf(
    database,
    `SELECT name, type, wr FROM pragma_table_list
     WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') ORDER BY name`,
  );
  for (const row of rows) {
    const name = text(row[0]);
    if (name.startsWith('sqlite_') || isInternalName(name)) continue;
    const table = readTable(database, row, guarded, references);
    if (table !== null) tables.set(name, table);
  }
  return { version, tables };
}
