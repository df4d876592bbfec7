import type { DatabaseSync } from 'node:sqlite';
import type { ColumnInfo, ForeignKey, SchemaSnapshot, TableInfo } from '../engine.ts';

/** Names the board keeps to itself inside a project's database: the change log and its triggers. */
export const INTERNAL_PREFIX = '_mag_';

export const isInternalName = (name: string): boolean => name.toLowerCase().startsWith(INTERNAL_PREFIX);

/** What the inline rule must know of a table beyond TableInfo. Structured-cloneable. */
export interface SqliteTable extends TableInfo {
  /**
   * Whether its columns are known. Views and virtual tables are described only where a process that can be killed
   * does it: SQLite compiles a view to name its columns, and views on views take exponential time.
   */
  readonly described: boolean;
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

/** A column with what the compiler needs of SQLite beyond the common form. */
interface SqliteColumn extends ColumnInfo {
  /** What a row without the column gets, as SQL. */
  readonly defaultExpression?: string;
}

/** The SQL of a column's default; null where it has none. */
export function defaultOf(column: ColumnInfo): string | null {
  const expression = 'defaultExpression' in column ? column.defaultExpression : null;
  if (typeof expression !== 'string') return null;
  // A default in double quotes is a text, where an expression would read a name.
  const [, quoted] = /^"((?:[^"]|"")*)"$/.exec(expression.trim()) ?? [];
  if (quoted === undefined) return expression;
  return `'${quoted.replaceAll('""', '"').replaceAll("'", "''")}'`;
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
  readonly info: SqliteColumn;
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
          ...(typeof row[3] === 'string' ? { defaultExpression: row[3] } : {}),
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

interface Reference {
  readonly table: string;
  /** As the key is written, which may differ in case. */
  readonly target: string;
  readonly columns: string[];
  /** Empty: the target's primary key. */
  readonly to: string[];
}

/** Foreign keys of the whole schema, in the order in which each table declares them. */
function readReferences(database: DatabaseSync): readonly Reference[] {
  const rows = rowsOf(
    database,
    `SELECT t.name, f.id, f."table", f."from", f."to" FROM main.sqlite_master AS t, pragma_foreign_key_list(t.name) AS f
     WHERE t.type = 'table' AND substr(lower(t.name), 1, 5) <> '_mag_' AND t.sql NOT LIKE 'create virtual%'
     ORDER BY t.name, f.id DESC, f.seq`,
  );
  const references = new Map<string, Reference>();
  for (const [table, id, target, from, to] of rows) {
    const key = JSON.stringify([table, id]);
    const known = references.get(key) ?? { table: text(table), target: text(target), columns: [], to: [] };
    references.set(key, known);
    known.columns.push(text(from));
    if (to !== null) known.to.push(text(to));
  }
  return [...references.values()];
}

/** Columns of each table (lower-cased name) that foreign keys point at; `*` stands for its primary key. */
function referencedColumns(references: readonly Reference[]): ReadonlyMap<string, ReadonlySet<string>> {
  const referenced = new Map<string, Set<string>>();
  for (const { target, to } of references) {
    const columns = referenced.get(target.toLowerCase()) ?? new Set();
    for (const column of to.length === 0 ? ['*'] : to) columns.add(column);
    referenced.set(target.toLowerCase(), columns);
  }
  return referenced;
}

const primaryKeyOf = (table: TableInfo): readonly string[] =>
  table.columns
    .filter((column) => column.primaryKey > 0)
    .sort((a, b) => a.primaryKey - b.primaryKey)
    .map((column) => column.name);

/** SQLite tells no name of a key: it gets the one that PostgreSQL would give it. */
function foreignKeys(
  table: TableInfo,
  references: readonly Reference[],
  tables: ReadonlyMap<string, TableInfo>,
): readonly ForeignKey[] {
  const spelled = (of: TableInfo, name: string): string =>
    of.columns.find((column) => column.name.toLowerCase() === name.toLowerCase())?.name ?? name;
  return references.flatMap((reference) => {
    const target = reference.table === table.name ? tables.get(reference.target.toLowerCase()) : undefined;
    if (target === undefined) return [];
    const columns = reference.columns.map((name) => spelled(table, name));
    const to = reference.to.length === 0 ? primaryKeyOf(target) : reference.to;
    if (to.length !== columns.length) return []; // A key that SQLite itself calls a mismatch.
    const name = `${[table.name, ...columns].join('_')}_fkey`;
    const references_ = {
      schema: 'public',
      table: target.name,
      columns: to.map((each) => spelled(target, each)),
    };
    return [{ name, columns, references: references_ }];
  });
}

/** Names that the modules give the tables behind a virtual table. */
const SHADOW_SUFFIXES = /_(?:data|idx|content|docsize|config|segments|segdir|stat|node|rowid|parent)$/i;

/** One pass over sqlite_master, which costs no compilation of views. */
class Master {
  readonly entries: { name: string; type: 'table' | 'view' | 'virtual'; sql: string }[] = [];
  /** Tables (lower-cased) whose trigger or CHECK would run the tenant's code for each row written. */
  readonly guarded = new Set<string>();

  constructor(database: DatabaseSync) {
    const rows = rowsOf(
      database,
      'SELECT type, name, lower(tbl_name), sql FROM main.sqlite_master ORDER BY name',
    );
    for (const [type, name, table, sql] of rows) {
      if (type === 'trigger' && !isInternalName(text(name))) this.guarded.add(text(table));
      if (type === 'table' && /\bcheck\b/i.test(text(sql))) this.guarded.add(text(table));
      if (type !== 'table' && type !== 'view') continue;
      if (text(name).startsWith('sqlite_') || isInternalName(text(name))) continue;
      const virtual = /^create\s+virtual\b/i.test(text(sql));
      this.entries.push({ name: text(name), type: virtual ? 'virtual' : type, sql: text(sql) });
    }
  }

  isShadow(name: string): boolean {
    const owner = name.replace(SHADOW_SUFFIXES, '');
    return owner !== name && this.entries.some((other) => other.type === 'virtual' && other.name === owner);
  }
}

const undescribed = (name: string, kind: SqliteTable['kind']): SqliteTable => ({
  schema: 'public',
  name,
  kind,
  columns: [],
  unique: [],
  described: false,
  simpleReads: false,
  simpleWrites: false,
  referenced: [],
});

/** Names the columns of a view or virtual table; null where it cannot be read, since what it stands on is gone. */
export function describeTable(database: DatabaseSync, table: SqliteTable): SqliteTable | null {
  if (table.described) return table;
  try {
    const columns = readColumns(database, table.name, false).map(({ info }) => info);
    return { ...table, columns, described: true };
  } catch {
    return null;
  }
}

function readTable(
  database: DatabaseSync,
  entry: { readonly name: string; readonly sql: string },
  master: Master,
  references: ReadonlyMap<string, ReadonlySet<string>>,
): SqliteTable {
  const { name } = entry;
  const columns = readColumns(database, name, /\bwithout\s+rowid\b/i.test(entry.sql));
  const primaryKey = columns
    .filter(({ info }) => info.primaryKey > 0)
    .sort((a, b) => a.info.primaryKey - b.info.primaryKey)
    .map(({ info }) => info.name);
  const indexes = readIndexes(database, name, primaryKey);
  const computed = indexes.computed || columns.some((column) => column.computed);
  const referenced = references.get(name.toLowerCase()) ?? new Set<string>();
  return {
    schema: 'public',
    name,
    kind: 'table',
    columns: columns.map(({ info }) => info),
    unique: indexes.unique,
    described: true,
    simpleReads: !columns.some((column) => column.virtual),
    simpleWrites: !computed && !master.guarded.has(name.toLowerCase()),
    referenced: [...referenced].flatMap((column) => (column === '*' ? primaryKey : [column])),
  };
}

/**
 * Reads the schema; views and virtual tables are named but not described. Internal tables, and the shadow tables
 * behind virtual ones, are left out.
 */
export function readSchema(database: DatabaseSync): SqliteSchema {
  const version = String(rowsOf(database, 'PRAGMA schema_version')[0]?.[0] ?? 0);
  const master = new Master(database);
  const references = readReferences(database);
  const referenced = referencedColumns(references);
  const tables = new Map<string, SqliteTable>();
  for (const entry of master.entries) {
    if (entry.type === 'table' && master.isShadow(entry.name)) continue;
    const table =
      entry.type === 'table'
        ? readTable(database, entry, master, referenced)
        : undescribed(entry.name, entry.type === 'view' ? 'view' : 'table');
    // A view takes no writes but those that a trigger of it does; which these are, only its text says.
    const readOnly = entry.type === 'view' && !master.guarded.has(entry.name.toLowerCase());
    tables.set(entry.name, readOnly ? { ...table, writes: [] } : table);
  }
  const lowered = new Map([...tables.values()].map((table) => [table.name.toLowerCase(), table]));
  for (const table of tables.values()) {
    const keys = foreignKeys(table, references, lowered);
    if (keys.length > 0) tables.set(table.name, { ...table, foreignKeys: keys });
  }
  return { version, tables };
}

/** The whole schema with every view described: only for a process that can be killed. */
export function describeSchema(database: DatabaseSync, schema: SqliteSchema): SqliteSchema {
  const tables = new Map<string, SqliteTable>();
  for (const table of schema.tables.values()) {
    const described = describeTable(database, table);
    if (described !== null) tables.set(table.name, described);
  }
  return { version: schema.version, tables };
}
