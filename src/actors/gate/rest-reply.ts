import { errorBody, MagError } from '../../errors.ts';
import { parseExact, stringifyExact } from '../../protocol/exact-json.ts';
import { notOneRow } from '../../protocol/one-row.ts';
import type { JsonValue } from '../../protocol/query.ts';
import type { Explain, QueryResult } from '../storage/engine.ts';
import { toCsv } from './csv.ts';
import type { MediaType } from './media-type.ts';
import { type FlatHeaders, JSON_TYPE, proxyStatus, SANDBOX } from './reply.ts';
import type { RestPlan } from './rest-plan.ts';

export interface RestReply {
  readonly status: number;
  readonly headers: FlatHeaders;
  readonly body: string | Buffer | null;
}

/** Types of texts that PostgREST knows by itself. */
const WITH_CHARSET = new Set([
  ...['application/json', 'application/geo+json', 'application/openapi+json'],
  ...['text/csv', 'text/plain', 'text/xml'],
]);

const TYPES: Readonly<Record<MediaType['kind'], string>> = {
  json: JSON_TYPE,
  object: 'application/vnd.pgrst.object+json; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
};
const STRIPPED: typeof TYPES = {
  ...TYPES,
  json: 'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8',
  object: 'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8',
};

const typeOf = (media: MediaType): string => (media.stripped ? STRIPPED : TYPES)[media.kind];

/** As PostgreSQL's json_strip_nulls: members of objects at every depth, and no elements of arrays. */
function withoutNulls(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]));
}

/** Throws PGRST116 where one object was asked for and there is another number of rows. */
function jsonOf(media: MediaType, result: QueryResult): string {
  if (media.kind !== 'object') return result.json;
  if (result.rowCount !== 1) throw notOneRow(result.rowCount);
  const rows = result.shape === undefined || result.shape === 'rows';
  return rows ? result.json.trim().slice(1, -1) : result.json;
}

function bodyOf(media: MediaType, result: QueryResult): string {
  if (media.kind === 'csv') return toCsv(result.json);
  const json = jsonOf(media, result);
  // The engine's own output.
  return media.stripped ? stringifyExact(withoutNulls(parseExact(json) as JsonValue)) : json;
}

/** `0-9/42`; `*` for no rows, and for a total that was not asked for. */
function contentRange(offset: number, rows: number, total: number | null): string {
  const range = rows === 0 ? '*' : `${offset}-${offset + rows - 1}`;
  return total === null ? `${range}/*` : `${range}/${total}`;
}

/** An error that says how many rows there are, as a 416 should. */
function beyondAll(offset: number, total: number): RestReply {
  const details = `An offset of ${offset} was requested, but there are only ${total} rows.`;
  const error = new MagError('PGRST103', {}, { details });
  const range = ['content-range', contentRange(offset, 0, total)];
  const headers = [...range, 'content-type', JSON_TYPE, ...proxyStatus(error)];
  return { status: error.status, headers, body: JSON.stringify(errorBody(error)) };
}

/** All rows there are, where they were counted: one value, or one row, counts itself. */
function totalOf({ prefer }: RestPlan, { total, shape, rowCount }: QueryResult): number | null {
  const single = shape === 'row' || shape === 'value';
  return total === null && single && prefer.count !== null ? rowCount : total;
}

/** What SQL of the project made of the rows. */
function madeReply(status: number, headers: FlatHeaders, { type, body }: Made): RestReply {
  headers.push('content-type', WITH_CHARSET.has(type) ? `${type}; charset=utf-8` : type, ...SANDBOX);
  return { status, headers, body };
}

type Made = NonNullable<QueryResult['media']>;

function replyToRead(plan: RestPlan, result: QueryResult): RestReply {
  const { offset, media, kind } = plan;
  const { rowCount } = result;
  const total = totalOf(plan, result);
  if (total !== null && offset > total) return beyondAll(offset, total);
  const status = total !== null && rowCount < total ? 206 : 200;
  const headers = ['content-range', contentRange(offset, rowCount, total)];
  const applied = plan.prefer.applied[kind];
  if (applied !== '') headers.push('preference-applied', applied);
  if (result.shape === 'void') return { status: 204, headers, body: null };
  if (result.media !== undefined) return madeReply(status, headers, result.media);
  headers.push('content-type', typeOf(media));
  return { status: media.kind === 'object' ? 200 : status, headers, body: bodyOf(media, result) };
}

/** Rows counted by a guess of the planner tell nothing of a write. */
function countOf(plan: RestPlan, result: QueryResult): number | null {
  const { count } = plan.prefer;
  return count === null || count === 'planned' ? null : result.rowCount;
}

/** An upsert that made no row says so, as far as its engine tells; a PUT says so unless it made one. */
function writeStatus({ kind, prefer, returning }: RestPlan, { inserted }: QueryResult): number {
  if (kind === 'insert') return inserted === 0 && prefer.resolution === 'merge' ? 200 : 201;
  if (!returning) return 204;
  return kind === 'put' && inserted !== undefined && inserted > 0 ? 201 : 200;
}

function replyToWrite(plan: RestPlan, result: QueryResult, location: string | null): RestReply {
  const { kind, returning, media } = plan;
  // More than one the engine has undone; none is nothing to undo.
  if (media.kind === 'object' && !returning && result.rowCount !== 1) throw notOneRow(result.rowCount);
  const headers: FlatHeaders = [];
  if (kind !== 'put') {
    const shown = kind === 'update' ? result.rowCount : 0;
    headers.push('content-range', contentRange(0, shown, countOf(plan, result)));
  }
  const applied = plan.prefer.applied[kind];
  if (applied !== '') headers.push('preference-applied', applied);
  if (location !== null) headers.push('location', location);
  const status = writeStatus(plan, result);
  if (!returning) return { status, headers, body: null };
  if (result.media !== undefined) return madeReply(status, headers, result.media);
  headers.push('content-type', typeOf(plan.media));
  return { status, headers, body: bodyOf(plan.media, result) };
}

/** As PostgREST writes it: the format, what it is the plan of, and what was asked for. */
function planTypeOf(media: MediaType, { format, options }: Explain): string {
  const [of = ''] = typeOf(media).split('; charset');
  const asked = options.length === 0 ? '' : `; options=${options.join('|')}`;
  return `application/vnd.pgrst.plan+${format}; for="${of}"${asked}; charset=utf-8`;
}

/** The reply PostgREST would give; a 416 where the offset is beyond the rows. Throws PGRST116 (not one row). */
export function replyTo(plan: RestPlan, result: QueryResult, location: string | null): RestReply {
  const { plan: explain } = plan.media;
  if (explain !== undefined) {
    const headers = ['content-type', planTypeOf(plan.media, explain)];
    return { status: 200, headers, body: result.json };
  }
  return plan.kind === 'read' || plan.kind === 'call'
    ? replyToRead(plan, result)
    : replyToWrite(plan, result, location);
}
