import { Buffer } from 'node:buffer';
import type { Query } from '../../../protocol/query.ts';
import type { MediaHandler, QueryResult, SchemaSnapshot } from '../engine.ts';
import { compileQuery } from './compiler.ts';
import type { CompiledStatement } from './dialect.ts';
import { postgresDialect } from './dialect-postgres.ts';
import { mergedCount, quoteIdentifier } from './postgres-text.ts';
import { isMerge } from './query-shape.ts';
import { RowsCompiler } from './rows.ts';
import { Bindings, Scope } from './scope.ts';
import { findTable } from './tables.ts';

/** Bytes travel as text, as everything does between server and board. */
const asText = (value: string, { bytes }: MediaHandler): string =>
  bytes ? `encode((${value})::bytea, 'base64')` : `(${value})::text`;

interface Counted {
  readonly from: string;
  readonly where: string | null;
}

/** How many rows there are, as a value. */
export const totalOf = ({ from, where }: Counted): string =>
  `(SELECT count(*) FROM ${from}${where === null ? '' : ` WHERE ${where}`})`;

/** One row: what the handler makes of all rows, and how many they are, beside another number where one is given. */
export function rowsAs(
  handler: MediaHandler,
  bindings: Bindings,
  rows: string,
  beside: string | null,
): string {
  const { of } = handler;
  const typed =
    typeof of === 'string' ? '_.*' : `_.*::${quoteIdentifier(of.schema)}.${quoteIdentifier(of.table)}`;
  return statementOf(handler, `${bindings.called(handler)}(${typed})`, `${rows} AS _`, beside);
}

/** The same of values, which `rows` calls `v`. */
export const valuesAs = (handler: MediaHandler, bindings: Bindings, rows: string): string =>
  statementOf(handler, `${bindings.called(handler)}(_.v)`, `${rows} AS _`, null);

/** The one value that a function gives is the reply. */
export const valueAs = (handler: MediaHandler, from: string, value: string): string =>
  `SELECT ${asText(value, handler)}, '1' FROM ${from}`;

function statementOf(handler: MediaHandler, made: string, from: string, beside: string | null): string {
  const numbers = beside === null ? 'count(*)::text' : `count(*) || '/' || ${beside}`;
  return `SELECT ${asText(made, handler)}, ${numbers} FROM ${from}`;
}

/** Compiles a query whose reply the handler makes of the rows that it gives. Throws as compileQuery does. */
export function compileMedia(
  query: Query,
  snapshot: SchemaSnapshot,
  handler: MediaHandler,
): CompiledStatement {
  const table = findTable(snapshot, query.schema, query.table);
  if (query.kind !== 'select') {
    const merged = isMerge(query) ? mergedCount : null;
    return compileQuery(query, table, postgresDialect, snapshot, (bindings, rows) =>
      rowsAs(handler, bindings, rows, merged),
    );
  }
  const bindings = new Bindings(postgresDialect, table);
  const scope = new Scope(table, bindings.alias(), bindings);
  const from = `${postgresDialect.qualifiedTable(table)} AS ${scope.alias}`;
  const { rows, base } = new RowsCompiler(bindings, snapshot, null).level(scope, from, [], query);
  const derived = postgresDialect.expressions?.derived(rows) ?? '';
  const sql = rowsAs(handler, bindings, derived, query.count === undefined ? null : totalOf(base));
  const { params, calls } = bindings;
  return { ...{ sql, params, table, calls }, columns: [], hasCheck: false };
}

/** The reply out of the statement's row; the number beside that of the rows is the total. */
export function mediaResult(
  handler: MediaHandler,
  { first, second }: { readonly first: string | null; readonly second: string | null },
): QueryResult {
  const [rows = '0', total] = (second ?? '0').split('/');
  const type = handler.type === '*/*' ? 'application/octet-stream' : handler.type;
  const made = first ?? '';
  return {
    ...{ json: '[]', rowCount: Number(rows), total: total === undefined ? null : Number(total) },
    totalKind: total === undefined ? null : 'exact',
    media: { type, body: handler.bytes ? Buffer.from(made, 'base64') : made },
  };
}

/** The same of a write, where that number is how many rows it wrote over: the others it made. */
export function writtenMedia(query: Query, made: QueryResult): QueryResult {
  if (query.kind !== 'insert' || made.total === null) return made;
  return { ...made, total: null, totalKind: null, inserted: query.rows.length - made.total };
}
