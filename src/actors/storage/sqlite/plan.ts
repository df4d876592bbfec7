import type { StatementSync } from 'node:sqlite';
import type { Query } from '../../../protocol/query.ts';
import { compileQuery } from '../sql/compiler.ts';
import type { CompiledStatement } from '../sql/dialect.ts';
import { type Binder, binderOf } from './binding.ts';
import type { TenantConnection } from './connection.ts';
import { EmbedProbes } from './embed-probes.ts';
import { isOne, type PlainEmbed, plainEmbeds, probeText } from './inline-embeds.ts';
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
  /** What an edge thread asks before it reads related rows; null where there are none, or one a row. */
  readonly probes: EmbedProbes | null;
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
  const givesRows = query.kind === 'select' || query.returning !== undefined || compiled.hasCheck;
  // run() tells the last rowid, of an earlier insert even, and throws after the write where a number cannot hold it.
  // So would an integer that is sorted by.
  const { sortedBy } = compiled;
  if (!givesRows || sortedBy !== undefined) statement.setReadBigInts(true);
  const { verdict, probes } = inlinePart({ connection, query, table, schema }, compiled.sql);
  return {
    ...{ statement, compiled, givesRows, verdict, probes },
    binders: compiled.params.map(binderOf),
    order: sortedBy === undefined ? null : rowOrder(connection.database, table, sortedBy),
    light: false,
    heavy: false,
  };
}

interface Planned {
  readonly connection: TenantConnection;
  readonly query: Query;
  readonly table: SqliteTable;
  readonly schema: SqliteSchema;
}

/** Where the statement may run, and what must be counted before it runs on an edge thread. */
function inlinePart(planned: Planned, sql: string): Pick<SqlitePlan, 'verdict' | 'probes'> {
  const { query, table, schema } = planned;
  const { database } = planned.connection;
  const never = { verdict: 'never', probes: null } as const;
  const verdict = inlineVerdict(query, table, schema);
  if (verdict === 'never') return never;
  const embeds = query.kind === 'select' ? (plainEmbeds(query.select, schema)?.embeds ?? []) : [];
  if (confirmVerdict(verdict, query, table, database, { sql, embeds }) === 'never') return never;
  const probes: string[] = [];
  for (const probed of embeds) {
    if (isOne(probed)) continue;
    const probe = probeOf(planned, probed);
    if (confirmVerdict(verdict, query, table, database, { sql: probe, probed }) === 'never') return never;
    probes.push(probe);
  }
  return { verdict, probes: probes.length === 0 ? null : new EmbedProbes(database, probes) };
}

function probeOf({ query, table, schema }: Planned, embed: PlainEmbed): string {
  if (query.kind !== 'select') throw new Error('a write embeds nothing on an edge thread');
  return probeText(query, table, embed, PLAIN, schema);
}
