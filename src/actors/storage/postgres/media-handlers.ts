import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { CallQuery, Query, SelectItem } from '../../../protocol/query.ts';
import type { Accepted, ExecuteContext, MediaHandler, SchemaSnapshot } from '../engine.ts';
import type { PgConnection } from './connection.ts';
import type { Resolved } from './resolve-function.ts';

/**
 * Domains named as media types are, and who makes them: an aggregate over rows of one table or of any, or a function
 * that gives such a value itself.
 */
const HANDLERS = `
WITH media AS (
  SELECT t.oid, lower(t.typname) AS name, t.typbasetype = 'pg_catalog.bytea'::pg_catalog.regtype AS bytes
  FROM pg_catalog.pg_type t
  WHERE t.typtype = 'd' AND (t.typname = '*/*' OR t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$'))
SELECT m.name, m.bytes, n.nspname, p.proname, p.prokind = 'a', an.nspname, c.relname
FROM media m JOIN pg_catalog.pg_proc p ON p.prorettype = m.oid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_type a ON p.prokind = 'a' AND p.pronargs = 1 AND a.oid = p.proargtypes[0]
LEFT JOIN pg_catalog.pg_class c ON c.oid = a.typrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_catalog.pg_namespace an ON an.oid = c.relnamespace
WHERE p.oid >= 16384 AND n.nspname !~ '^(pg_|_mag)' AND NOT p.proretset
  AND (p.prokind = 'f' OR c.oid IS NOT NULL OR a.typname = 'anyelement')
ORDER BY n.nspname, p.proname, p.oid LIMIT ${LIMITS.schemaTables}`;

export async function readMediaHandlers(connection: PgConnection): Promise<readonly MediaHandler[]> {
  const rows = await connection.rows(HANDLERS);
  return rows.map(([type, bytes, schema, name, aggregates, tableSchema, table]): MediaHandler => {
    const known = { type: type ?? '', bytes: bytes === 't', schema: schema ?? '', name: name ?? '' };
    if (aggregates !== 't') return { ...known, of: 'call' };
    if (typeof table !== 'string' || typeof tableSchema !== 'string') return { ...known, of: 'any' };
    return { ...known, of: { schema: tableSchema, table } };
  });
}

const isAll = (select: readonly SelectItem[]): boolean => select.length === 1 && select[0]?.kind === 'all';

/** Whose handler is sought: rows of a table, a function's one value, or what has neither. */
type Subject =
  | { readonly kind: 'table'; readonly schema: string; readonly name: string }
  | { readonly kind: 'call'; readonly schema: string; readonly name: string }
  | { readonly kind: 'other' };

function makes({ of }: MediaHandler, subject: Subject): boolean {
  if (of === 'any' || subject.kind === 'other') return false;
  if (of === 'call') return subject.kind === 'call';
  return subject.kind === 'table' && of.schema === subject.schema && of.table === subject.name;
}

/** As PostgREST negotiates: what is made for this subject comes first, and takes any type where it says so. */
function pick(
  handlers: readonly MediaHandler[],
  { types, header }: Accepted,
  subject: Subject,
  whole: boolean,
) {
  const own = whole ? handlers.filter((handler) => makes(handler, subject)) : [];
  const any = handlers.filter(({ of }) => of === 'any');
  for (const { name, written, fixed } of types) {
    if (fixed) return null;
    const found =
      own.find(({ type }) => type === '*/*') ??
      own.find(({ type }) => type === name) ??
      any.find(({ type }) => type === name);
    if (found !== undefined) return found;
    if (written) return null;
  }
  throw new MagError('PGRST107', { types: header.slice(0, 200) });
}

type Handled = Pick<SchemaSnapshot, 'mediaHandlers'>;

/** Null, as for almost every request: the reply is written by who asks. */
function handlersFor(
  { mediaHandlers = [] }: Handled,
  { accepts, explain }: ExecuteContext,
  schema: string,
): readonly MediaHandler[] | null {
  if (accepts === undefined || explain !== undefined) return null;
  if (mediaHandlers.length === 0 && accepts.written) return null;
  return mediaHandlers.filter((handler) => handler.schema === schema);
}

/** What makes the reply out of a table's rows; null: they are given as JSON, or none are. Throws PGRST107. */
export function handlerOfRows(query: Query, snapshot: Handled, context: ExecuteContext): MediaHandler | null {
  const { schema, table } = query;
  const handlers = handlersFor(snapshot, context, schema);
  if (handlers === null || context.accepts === undefined) return null;
  const shown = query.kind === 'select' ? query.select : query.returning;
  const whole = shown === undefined || isAll(shown);
  const handler = pick(handlers, context.accepts, { kind: 'table', schema, name: table }, whole);
  return shown === undefined ? null : handler;
}

/** The same of what a function gives. Throws PGRST107. */
export function handlerOfCall(
  { schema, select }: CallQuery,
  { function: { name, returns } }: Resolved,
  snapshot: Handled,
  context: ExecuteContext,
): MediaHandler | null {
  const handlers = handlersFor(snapshot, context, schema);
  if (handlers === null || context.accepts === undefined) return null;
  // Of several functions of the name the one that is called; the name of such a domain is always quoted.
  const own = handlers.filter(
    ({ of, name: called, type }) =>
      of !== 'call' || (called === name && returns.type.toLowerCase().endsWith(`"${type}"`)),
  );
  const { table } = returns;
  if (table !== null) return pick(own, context.accepts, { kind: 'table', ...table }, isAll(select));
  const given = !returns.set && !returns.composite;
  return pick(
    own,
    context.accepts,
    given ? { kind: 'call', schema, name } : { kind: 'other' },
    isAll(select),
  );
}
