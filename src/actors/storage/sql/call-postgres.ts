import { MagError } from '../../../errors.ts';
import type { CallQuery } from '../../../protocol/query.ts';
import type { FunctionInfo, MediaHandler, QueryResult, SchemaSnapshot, TableInfo } from '../engine.ts';
import type { JsonStatement } from '../postgres/json-statement.ts';
import type { Resolved } from '../postgres/resolve-function.ts';
import { expressionsOf } from './conditions.ts';
import type { CompiledStatement } from './dialect.ts';
import { postgresDialect } from './dialect-postgres.ts';
import { mediaResult, rowsAs, totalOf, valueAs, valuesAs } from './media-postgres.ts';
import { enforceMost, quoteIdentifier } from './postgres-text.ts';
import { RowsCompiler } from './rows.ts';
import { Bindings, Scope } from './scope.ts';

/** The rows of a function's result as a table is described. */
function resultTable({ schema, name, returns }: FunctionInfo, snapshot: SchemaSnapshot): TableInfo {
  const { table } = returns;
  const key = table?.schema === 'public' ? table.name : `${table?.schema}.${table?.name}`;
  const known = table === null ? undefined : snapshot.tables.get(key);
  if (known !== undefined) return known;
  const columns = (returns.columns ?? []).map((column) => ({
    ...column,
    ...{ nullable: true, hasDefault: false, primaryKey: 0 },
  }));
  return { ...{ schema, name, columns }, kind: 'view', unique: [] };
}

const ARGUMENTS = '_arguments';
const CALLED = '_called';
const MADE = '_made';

/** Without a length these two are of one character, and one bit; a parameter has none, and takes any. */
const unbounded = (type: string): string => type.replace(/^(character|bit)(?=$|\[)/, '$1 varying');

/** The function with its arguments in the FROM clause; its rows are called `alias`. */
function callText({ function: called, style, given, texts }: Resolved, bound: string, alias: string): string {
  const name = `${quoteIdentifier(called.schema)}.${quoteIdentifier(called.name)}`;
  // A record that says nothing of its columns has them only as a value.
  const bare = called.returns.type === 'record' && !called.returns.composite;
  const rows = (list: string): string => (bare ? `(SELECT ${name}(${list}))` : `${name}(${list})`);
  if (style === 'whole') return `${rows(`${bound}::${called.parameters[0]?.type}`)} AS ${alias}`;
  // The parameter must be one of the statement's, also where it says nothing.
  if (given.length === 0)
    return `(SELECT ${bound}::text) AS ${ARGUMENTS} CROSS JOIN LATERAL ${rows('')} AS ${alias}`;
  const columns: string[] = [];
  const passed: string[] = [];
  for (const { name: parameter, type, variadic } of called.parameters) {
    if (!given.includes(parameter)) continue;
    const quoted = quoteIdentifier(parameter);
    // A URL's values are texts, and read as such: `{"a":1}` is JSON there, and in a body a string.
    const sent = texts ? `text${variadic ? '[]' : ''}` : unbounded(type);
    columns.push(`${quoted} ${sent}`);
    passed.push(
      `${variadic ? 'VARIADIC ' : ''}${quoted} => ${ARGUMENTS}.${quoted}${texts ? `::${unbounded(type)}` : ''}`,
    );
  }
  return (
    `json_to_record(${bound}) AS ${ARGUMENTS}(${columns.join(', ')}) ` +
    `CROSS JOIN LATERAL ${rows(passed.join(', '))} AS ${alias}`
  );
}

/** `set`: of values, which their array tells apart from one · `media`: what a handler made of it. */
export type CallShape = NonNullable<QueryResult['shape']> | 'set' | 'media';

const isAll = ({ select }: CallQuery): boolean => select.every(({ kind }) => kind === 'all');

/** What neither rows nor a row are made of: one value, or a set of them. */
function valueStatement(
  query: CallQuery,
  from: string,
  alias: string,
  bindings: Bindings,
  handler: MediaHandler | null,
): string {
  const { where, order, limit, offset } = query;
  if (where !== undefined || order.length > 0 || !isAll(query))
    throw new MagError('PGRST204', { column: 'select', table: query.function });
  if (handler?.of === 'call') return valueAs(handler, `${from}(v)`, `${alias}.v`);
  let inner = `SELECT ${handler === null ? `to_json(${alias}.v)` : `${alias}.v`} AS v FROM ${from}(v)`;
  if (limit !== undefined) inner += ` LIMIT ${bindings.value('count', null)}`;
  if (offset !== undefined) inner += ` OFFSET ${bindings.value('count', null)}`;
  if (handler !== null) return valuesAs(handler, bindings, `(${inner})`);
  return `SELECT coalesce(_.v::text, 'null') FROM (${inner}) _`;
}

export function compileCall(
  query: CallQuery,
  resolved: Resolved,
  snapshot: SchemaSnapshot,
  handler: MediaHandler | null = null,
): { readonly compiled: CompiledStatement; readonly shape: CallShape } {
  const { function: called } = resolved;
  const { returns } = called;
  const table = resultTable(called, snapshot);
  const bindings = new Bindings(postgresDialect, table);
  const alias = bindings.alias();
  const from = callText(resolved, bindings.value('text', null), alias);
  const done = (sql: string, shape: CallShape) => ({
    compiled: { sql, params: bindings.params, table, columns: [], hasCheck: false, calls: bindings.calls },
    shape,
  });
  if (returns.type === 'void') return done(`SELECT NULL::text FROM ${from}`, 'void');
  if (!returns.composite)
    return done(
      valueStatement(query, from, alias, bindings, handler),
      handler === null ? (returns.set ? 'set' : 'value') : 'media',
    );
  const shape = handler === null ? (returns.set ? 'rows' : 'row') : 'media';
  // What is counted must not be called twice.
  const once = query.count !== undefined || query.maxAffected !== undefined;
  const rows = new RowsCompiler(bindings, snapshot, null);
  const scope = new Scope(table, alias, bindings, !once);
  const level = rows.level(scope, once ? `${CALLED} AS ${alias}` : from, [], query);
  const counted = query.count === undefined ? null : level.base;
  const expressions = expressionsOf(bindings, 'give rows');
  const sql =
    handler === null
      ? expressions.selectRows({ ...level.rows, counted })
      : rowsAs(handler, bindings, expressions.derived(level.rows), counted && totalOf(counted));
  if (!once) return done(sql, shape);
  const most = query.maxAffected === undefined ? null : bindings.value('count', null);
  const where = most === null ? '' : ` WHERE ${enforceMost(MADE, most)} = 1`;
  const made = `${MADE} AS MATERIALIZED (SELECT ${alias}.* FROM ${from})`;
  return done(`WITH ${made}, ${CALLED} AS (SELECT * FROM ${MADE}${where}) ${sql}`, shape);
}

/** The answer of a call out of the rows of its statement. */
export function callResult(
  { shape = 'rows', handler }: { readonly shape?: CallShape; readonly handler?: MediaHandler },
  query: CallQuery,
  statement: Pick<JsonStatement, 'json' | 'rowCount' | 'first' | 'second'>,
): QueryResult {
  if (handler !== undefined && shape !== 'void') return mediaResult(handler, statement);
  const { json, rowCount, second } = statement;
  const counted = query.count !== undefined;
  const total =
    counted && shape !== 'value' && shape !== 'set' && shape !== 'void' ? Number(second ?? 0) : null;
  const known = {
    ...{ rowCount, total, totalKind: total === null ? null : ('exact' as const) },
    ...(shape === 'set' || shape === 'media' ? { shape: 'value' as const, set: true as const } : { shape }),
  };
  if (shape === 'void') return { ...known, json: 'null' };
  if (shape === 'rows' || shape === 'set') return { ...known, json };
  return { ...known, json: rowCount === 0 ? 'null' : json.slice(1, -1) };
}
