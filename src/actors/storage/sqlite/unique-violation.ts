import type { DatabaseSync } from 'node:sqlite';
import { DatabaseError } from '../../../errors.ts';
import type { TableInfo } from '../engine.ts';

/** SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE and _ROWID. */
const CODES: ReadonlySet<unknown> = new Set([1555, 2067, 2579]);
const FAILED = 'UNIQUE constraint failed: ';
/** PostgreSQL cuts a longer name. */
const NAME_BYTES = 63;

interface UniqueKey {
  readonly columns: readonly string[];
  /** Null: a constraint without a name that SQLite would tell. */
  readonly index: string | null;
  readonly primary: boolean;
}

function uniqueKeys(database: DatabaseSync, { name, columns }: TableInfo): readonly UniqueKey[] {
  const primary = columns.filter(({ primaryKey }) => primaryKey > 0);
  primary.sort((left, right) => left.primaryKey - right.primaryKey);
  const found = database
    .prepare(`SELECT name, origin FROM pragma_index_list(?) WHERE "unique" AND origin <> 'pk'`)
    .all(name);
  const info = database.prepare('SELECT name FROM pragma_index_info(?) ORDER BY seqno');
  return [
    { columns: primary.map((column) => column.name), index: null, primary: true },
    ...found.map((index) => ({
      columns: info.all(String(index.name)).map((column) => String(column.name)),
      index: index.origin === 'c' ? String(index.name) : null,
      primary: false,
    })),
  ];
}

/** What the key that refused a row is called; null where that is not sure. */
function keyName(database: DatabaseSync, table: TableInfo, failed: string): string | null {
  const expression = /^index '(.*)'$/s.exec(failed);
  if (expression !== null) return expression[1] ?? null;
  const matches = uniqueKeys(database, table).filter(
    ({ columns }) => columns.map((column) => `${table.name}.${column}`).join(', ') === failed,
  );
  const [key] = matches;
  if (key === undefined || matches.length > 1) return null;
  if (key.index !== null) return key.index;
  const made = database
    .prepare(`SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?`)
    .get(table.name);
  // It may have a name, then, which SQLite forgets.
  if (/\bconstraint\b/i.test(String(made?.sql))) return null;
  const name = [table.name, ...(key.primary ? ['pkey'] : [...key.columns, 'key'])].join('_');
  return Buffer.byteLength(name) > NAME_BYTES ? null : name;
}

/**
 * A refused duplicate as PostgreSQL tells it: by the index of that name, or as it would itself call a constraint without
 * one. SQLite tells the columns alone; null where the error is another one, or the name not sure.
 */
export function uniqueViolation(
  database: DatabaseSync,
  table: TableInfo,
  error: unknown,
): DatabaseError | null {
  if (!(error instanceof Error) || !('errcode' in error) || !CODES.has(error.errcode)) return null;
  if (!error.message.startsWith(FAILED)) return null;
  const name = keyName(database, table, error.message.slice(FAILED.length));
  if (name === null) return null;
  const message = `duplicate key value violates unique constraint "${name}"`;
  return new DatabaseError('23505', message, { cause: error, details: error.message });
}
