import type { IncomingHttpHeaders } from 'node:http';
import { MagError } from '../../errors.ts';
import { notOneRow } from '../../protocol/one-row.ts';
import type { Filter, InsertQuery, Query, SelectItem } from '../../protocol/query.ts';
import { parseChanges, parseRows } from './body.ts';
import { type Params, parseParams } from './grammar/params.ts';
import { windowOf } from './grammar/range.ts';
import { acceptedType, type MediaType, requireJson } from './media-type.ts';
import { type Preferences, preferencesOf } from './preferences.ts';

/** A REST request, understood: what to run and how to answer. */
export interface RestPlan {
  readonly query: Query;
  readonly prefer: Preferences;
  readonly media: MediaType;
  /** First row asked for, for Content-Range. */
  readonly offset: number;
  /** The write gives rows back to the client. */
  readonly returning: boolean;
}

const SCHEMA = 'public';

function requirePublic(header: string | string[] | undefined): void {
  if (header !== undefined && header !== SCHEMA) {
    throw new MagError('PGRST106', { schema: String(header).slice(0, 100), schemas: SCHEMA });
  }
}

const where = (params: Params): { readonly where?: Filter } =>
  params.where === null ? {} : { where: params.where };

function planRead(table: string, params: Params, headers: IncomingHttpHeaders): RestPlan {
  requirePublic(headers['accept-profile']);
  const prefer = preferencesOf(headers.prefer);
  const media = acceptedType(headers.accept);
  const { offset, limit } = windowOf(params.limit, params.offset, headers.range);
  const query: Query = {
    kind: 'select',
    schema: SCHEMA,
    table,
    select: params.select,
    ...where(params),
    order: params.order,
    limit,
    ...(offset === 0 ? {} : { offset }),
    ...(prefer.count === null ? {} : { count: prefer.count }),
  };
  return { query, prefer, media, offset, returning: true };
}

function onConflict(params: Params, prefer: Preferences): Pick<InsertQuery, 'onConflict'> {
  const { resolution } = prefer;
  if (resolution === null) return {};
  return {
    onConflict: params.onConflict === null ? { resolution } : { resolution, columns: params.onConflict },
  };
}

function returned(params: Params, prefer: Preferences): { readonly returning?: readonly SelectItem[] } {
  return prefer.returns === 'representation' ? { returning: params.select } : {};
}

/** A client that asks for a single object back must not change two rows to learn that there were two. */
const single = (media: MediaType, prefer: Preferences): { readonly single?: true } =>
  media === 'object' && prefer.returns === 'representation' ? { single: true } : {};

function planInsert(table: string, params: Params, prefer: Preferences, body: string): InsertQuery {
  const columns = params.columns === null || params.columns.length === 0 ? {} : { columns: params.columns };
  return {
    kind: 'insert',
    schema: SCHEMA,
    table,
    rows: parseRows(body),
    missing: prefer.missing,
    ...columns,
    ...onConflict(params, prefer),
    ...returned(params, prefer),
  };
}

/** A limited write would have to say which rows it means; until it can, it must not touch more than was asked for. */
function refuseLimit(params: Params): void {
  if (params.limit === null && params.offset === null) return;
  const problem = 'limit and offset are not supported on updates and deletes';
  throw new MagError('PGRST100', { what: 'limit', column: 1 }, { details: problem });
}

function planWrite(
  method: string,
  table: string,
  params: Params,
  headers: IncomingHttpHeaders,
  body: string,
): RestPlan {
  requirePublic(headers['content-profile']);
  const prefer = preferencesOf(headers.prefer);
  const returning = prefer.returns === 'representation';
  const media = acceptedType(headers.accept);
  if (method === 'DELETE') {
    refuseLimit(params);
    const query: Query = {
      kind: 'delete',
      schema: SCHEMA,
      table,
      ...where(params),
      ...returned(params, prefer),
      ...single(media, prefer),
    };
    return { query, prefer, media, offset: 0, returning };
  }
  requireJson(headers['content-type']);
  if (method === 'POST') {
    const query = planInsert(table, params, prefer, body);
    if (media === 'object' && returning && query.rows.length !== 1) throw notOneRow(query.rows.length);
    return { query, prefer, media, offset: 0, returning };
  }
  refuseLimit(params);
  const set = parseChanges(body, params.columns);
  const query: Query = {
    kind: 'update',
    schema: SCHEMA,
    table,
    set,
    ...where(params),
    ...returned(params, prefer),
    ...single(media, prefer),
  };
  return { query, prefer, media, offset: 0, returning };
}

/**
 * Reads one REST request. `search` is the query string without `?`, `body` the text of the body or empty.
 * Throws PGRST1xx, MAG_BAD_JSON, MAG_BAD_REQUEST or MAG_UNSUPPORTED_MEDIA_TYPE.
 */
export function planRequest(
  method: string,
  table: string,
  search: string,
  headers: IncomingHttpHeaders,
  body: string,
): RestPlan {
  const params = parseParams(search);
  if (method === 'GET' || method === 'HEAD') return planRead(table, params, headers);
  return planWrite(method, table, params, headers, body);
}
