import { LIMITS } from '../../../limits.ts';
import type { ColumnInfo, ForeignKey, SchemaSnapshot, TableInfo } from '../engine.ts';
import type { MysqlConnection } from './connection.ts';

/** A column with what the dialect needs of MySQL beyond the common form. */
export interface MysqlColumn extends ColumnInfo {
  /** Whether its text is in utf8mb4. */
  readonly utf8: boolean;
}

export interface MysqlTable extends TableInfo {
  /** Unique indexes of any kind, also those that `unique` leaves out. */
  readonly uniqueIndexes: number;
}

export type MysqlSchema = SchemaSnapshot & { readonly tables: ReadonlyMap<string, MysqlTable> };

/** The schema under which the grammar knows the project's one database. */
const SCHEMA = 'public';

const sum = (parts: string, from: string): string =>
  `(SELECT CONCAT_WS(':', COUNT(*), SUM(CRC32(CONCAT_WS('/', ${parts})))) FROM information_schema.${from})`;

/** Changes with every DDL on tables, columns, keys and checks. */
const FINGERPRINT = `SELECT CONCAT_WS('|', ${[
  sum(
    `TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, IFNULL(COLUMN_DEFAULT, '-'), IS_NULLABLE, COLUMN_TYPE, EXTRA, CHARACTER_SET_NAME`,
    'COLUMNS WHERE TABLE_SCHEMA = DATABASE()',
  ),
  sum(
    'TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, NON_UNIQUE',
    'STATISTICS WHERE TABLE_SCHEMA = DATABASE()',
  ),
  sum(
    'TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME',
    'KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE()',
  ),
  sum('TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE', 'CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()'),
].join(', ')})`;

const TABLES = `SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
ORDER BY TABLE_NAME LIMIT ${LIMITS.schemaTables}`;

const COLUMNS = `SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION`;

/** MariaDB's JSON is text with a check that it is valid. */
const JSON_COLUMNS = `SELECT TABLE_NAME, CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = DATABASE() AND CHECK_CLAUSE = CONCAT('json_valid(\`', CONSTRAINT_NAME, '\`)')`;

const UNIQUE = `SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX`;

const FOREIGN_KEYS = `SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE()
ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`;

type Cells = readonly unknown[];

/** Rows by the text of their first cell. */
function byTable(rows: readonly Cells[]): ReadonlyMap<string, readonly Cells[]> {
  const groups = new Map<string, Cells[]>();
  for (const [table, ...cells] of rows) {
    const key = String(table);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [cells]);
    else group.push(cells);
  }
  return groups;
}

interface UniqueIndex {
  readonly name: string;
  readonly columns: string[];
  /** Over whole columns. */
  whole: boolean;
}

function uniqueIndexes(rows: readonly Cells[]): readonly UniqueIndex[] {
  const indexes = new Map<string, UniqueIndex>();
  for (const [name, column, prefix] of rows) {
    const key = String(name);
    const index = indexes.get(key) ?? { name: key, columns: [], whole: true };
    indexes.set(key, index);
    if (column === null || prefix !== null) index.whole = false;
    else index.columns.push(String(column));
  }
  return [...indexes.values()];
}

function foreignKeys(own: string, rows: readonly Cells[]): readonly ForeignKey[] {
  const keys = new Map<string, { columns: string[]; table: string; references: string[] }>();
  for (const [name, column, table, referenced] of rows) {
    const key = keys.get(String(name)) ?? { columns: [], table: String(table), references: [] };
    keys.set(String(name), key);
    key.columns.push(String(column));
    key.references.push(String(referenced));
  }
  return [...keys].map(([name, { columns, table, references }]) => ({
    // A name that the server made tells nothing; clients know how PostgreSQL would have called it.
    name: /(^|_ibfk_)\d+$/.test(name) ? `${[own, ...columns].join('_')}_fkey` : name,
    columns,
    references: { schema: SCHEMA, table, columns: references },
  }));
}

function columnOf(cells: Cells, json: ReadonlySet<string>, primary: readonly string[]): MysqlColumn {
  const [name, type, nullable, defaultText, extra, charset] = cells.map((cell) =>
    cell === null ? null : String(cell),
  );
  const column = name ?? '';
  return {
    name: column,
    type: json.has(column) ? 'json' : (type ?? ''),
    nullable: nullable === 'YES',
    // MariaDB writes DEFAULT NULL as the word.
    hasDefault:
      (defaultText !== null && defaultText !== 'NULL') || /auto_increment|GENERATED/i.test(extra ?? ''),
    primaryKey: primary.indexOf(column) + 1,
    utf8: charset === 'utf8mb4',
  };
}

/** Tables, columns and keys, or `known` where nothing changed since. */
export async function readSchema(
  connection: MysqlConnection,
  known: SchemaSnapshot | null,
): Promise<SchemaSnapshot> {
  // Before the tables: DDL in between makes the next check find a difference, and not the other way round.
  const version = String((await connection.rows(FINGERPRINT))[0]?.[0] ?? '');
  if (version === known?.version) return known;
  const tableRows = await connection.rows(TABLES);
  const columns = byTable(await connection.rows(COLUMNS));
  const jsonColumns = byTable(await connection.rows(JSON_COLUMNS));
  const unique = byTable(await connection.rows(UNIQUE));
  const references = byTable(await connection.rows(FOREIGN_KEYS));
  const tables = new Map<string, MysqlTable>();
  for (const [tableName, kind] of tableRows) {
    const name = String(tableName);
    const json = new Set((jsonColumns.get(name) ?? []).map(([column]) => String(column)));
    const indexes = uniqueIndexes(unique.get(name) ?? []);
    const primary = indexes.find((index) => index.name === 'PRIMARY')?.columns ?? [];
    tables.set(name, {
      ...{ schema: SCHEMA, name, kind: kind === 'VIEW' ? 'view' : 'table' },
      columns: (columns.get(name) ?? []).map((cells) => columnOf(cells, json, primary)),
      unique: indexes.filter((index) => index.whole).map((index) => index.columns),
      uniqueIndexes: indexes.length,
      foreignKeys: foreignKeys(name, references.get(name) ?? []),
    });
  }
  const schema: MysqlSchema = { version, tables };
  return schema;
}
