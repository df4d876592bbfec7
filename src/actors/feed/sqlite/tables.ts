import type { DatabaseSync } from 'node:sqlite';
import { parseUniqueIndex } from './index-text.ts';

/** A column that a change record shows. */
interface CapturedColumn {
  readonly name: string;
  /** As declared, upper case, `''` where nothing was. */
  readonly declared: string;
  readonly notNull: boolean;
  readonly defaultText: string | null;
  readonly generated: boolean;
}

/** One term of a unique key: a column or an expression over the row, with the collation it compares by. */
export interface KeyTerm {
  readonly column: string | null;
  readonly expression: string | null;
  readonly collation: string;
}

/** What may be unique only once in a table, so that a REPLACE deletes who holds it. */
export interface UniqueKey {
  readonly primary: boolean;
  readonly terms: readonly KeyTerm[];
  /** Condition of a partial index, as its author wrote it. */
  readonly where: string | null;
}

/** A user table as the capture triggers need to know it. */
export interface CapturedTable {
  readonly name: string;
  readonly strict: boolean;
  readonly columns: readonly CapturedColumn[];
  /** A name that reaches the rowid; null for WITHOUT ROWID tables and where columns hide all three names. */
  readonly rowid: string | null;
  /** The rowid is the declared primary key. */
  readonly rowidIsPrimary: boolean;
  readonly keys: readonly UniqueKey[];
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What SQLite compares names by: it knows the case of ASCII letters alone. */
export const folded = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** SQL identifier in quotes. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A table of the user before it is looked at closely. */
export interface UserTable {
  readonly name: string;
  readonly withoutRowid: boolean;
  readonly strict: boolean;
  /** All of its schema as text (its own, its indexes', its user's triggers'): the same text is the same table. */
  readonly source: string;
}

/** Tables of the user, in name order: no views, no virtual tables or their shadows, nothing of SQLite's or ours. */
export function listUserTables(db: DatabaseSync): UserTable[] {
  const rows = db
    .prepare(
      `SELECT t.name, t.wr, t.strict, group_concat(s.sql, char(10)) AS source
       FROM pragma_table_list AS t JOIN sqlite_schema AS s ON s.tbl_name = t.name COLLATE NOCASE
       WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         AND t.name NOT LIKE '\\_mag\\_%' ESCAPE '\\' AND s.name NOT LIKE '\\_mag\\_%' ESCAPE '\\'
       GROUP BY t.name ORDER BY t.name`,
    )
    .all();
  return rows.map((row) => ({
    name: text(row['name']),
    withoutRowid: row['wr'] === 1,
    strict: row['strict'] === 1,
    source: text(row['source']),
  }));
}

/** Columns and keys of a table. */
export function describeTable(db: DatabaseSync, { name, withoutRowid, strict }: UserTable): CapturedTable {
  const info = db.prepare('SELECT * FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid').all(name);
  const columns = info.map((row) => ({
    name: text(row['name']),
    declared: text(row['type']).toUpperCase(),
    notNull: row['notnull'] === 1,
    defaultText: typeof row['dflt_value'] === 'string' ? row['dflt_value'] : null,
    generated: row['hidden'] !== 0,
  }));
  const keys = uniqueKeys(db, name);
  const rowid = withoutRowid ? null : rowidName(columns.map((column) => column.name));
  const hasPrimaryKey = info.some((row) => Number(row['pk']) > 0);
  return {
    name,
    strict,
    columns,
    rowid,
    // A rowid table whose primary key has no index of its own has it in the rowid.
    rowidIsPrimary: rowid !== null && hasPrimaryKey && !keys.some((key) => key.primary),
    keys,
  };
}

function rowidName(columns: readonly string[]): string | null {
  const taken = new Set(columns.map((column) => column.toLowerCase()));
  return ['rowid', '_rowid_', 'oid'].find((alias) => !taken.has(alias)) ?? null;
}

function uniqueKeys(db: DatabaseSync, table: string): UniqueKey[] {
  const indexes = db
    .prepare(
      'SELECT name, origin, partial FROM pragma_index_list(?) WHERE "unique" = 1 ORDER BY origin, name',
    )
    .all(table);
  const source = db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?");
  const terms = db.prepare('SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno');
  return indexes.map((index) => {
    const written = parseUniqueIndex(text(source.get(text(index['name']))?.['sql']));
    return {
      primary: index['origin'] === 'pk',
      where: index['partial'] === 1 ? (written?.where ?? null) : null,
      terms: terms.all(text(index['name'])).map((term, place) => ({
        column: term['cid'] === -2 ? null : text(term['name']),
        expression: term['cid'] === -2 ? (written?.terms[place] ?? null) : null,
        collation: text(term['coll']) || 'BINARY',
      })),
    };
  });
}
