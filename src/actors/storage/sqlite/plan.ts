import type { StatementSync } from 'node:sqlite';
import type { Query } from '../../../protocol/query.ts';
import { compileQuery } from '../sql/compiler.ts';
import type { CompiledStatement } from '../sql/dialect.ts';
import { type Binder, binderOf } from './binding.ts';
import type { TenantConnection } from './connection.ts';
import { confirmVerdict, type InlineVerdict, inlineVerdict } from './inline-rule.ts';
import { sqliteDialect } from './sqlite-dialect.ts';
import type { SqliteSchema, SqliteTable } from './sqlite-schema.ts';
import { type RowOrder, rowOrder } from './written-order.ts';

/** A compiled and prepared statement, good for every query of one shape while the schema stays. */
export interface SqlitePlan {
  readonly statement: StatementSync;
  readonly compiled: CompiledStatement;
  readonly binders: readonly Binder[];
  /** Whether it gives rows at all: reads, and writes with RETURNING or a check. */
  readonly givesRows: boolean;
  /** How the rows that a write gives back are sorted; null: as they come. */
  readonly order: RowOrder | null;
  readonly verdict: InlineVerdict;
  /** Its last result was small: rows may be read all at once. */
  light: boolean;
  /** Its rows were too large for an edge thread once; from then on it runs in a storage process. */
  heavy: boolean;
}

const PLAIN = sqliteDialect({ anyBlob: false });
const ANY_BLOB = sqliteDialect({ anyBlob: true });

/** Throws PGRST204, and node:sqlite's errors where the schema moved meanwhile. */
export function makePlan(
  connection: TenantConnection,
  query: Query,
  table: SqliteTable,
  anyBlob: boolean,
  schema: SqliteSchema,
): SqlitePlan {
  const compiled = compileQuery(query, table, anyBlob ? ANY_BLOB : PLAIN, schema);
  connection.confinement.begin();
  const statement = connection.database.prepare(compiled.sql);
  statement.setReturnArrays(true);
  const verdict = inlineVerdict(query, table);
  const givesRows = query.kind === 'select' || query.returning !== undefined || compiled.hasCheck;
  // run() tells the last rowid, of an earlier insert even, and throws after the write where a number cannot hold it.
  // So would an integer that is sorted by.
  const { sortedBy } = compiled;
  if (!givesRows || sortedBy !== undefined) statement.setReadBigInts(true);
  return {
    statement,
    compiled,
    binders: compiled.params.map(binderOf),
    givesRows,
    order: sortedBy === undefined ? null : rowOrder(connection.database, table, sortedBy),
    verdict: confirmVerdict(verdict, query, table, connection.database, compiled.sql),
    light: false,
    heavy: false,
  };
}
