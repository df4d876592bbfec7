import { MagError } from '../../errors.ts';
import { notOneRow } from '../../protocol/one-row.ts';
import type { QueryResult } from '../storage/engine.ts';
import { toCsv } from './csv.ts';
import type { MediaType } from './media-type.ts';
import { type FlatHeaders, JSON_TYPE } from './reply.ts';
import type { RestPlan } from './rest-plan.ts';

export interface RestReply {
  readonly status: number;
  readonly headers: FlatHeaders;
  readonly body: string | null;
}

const TYPES: Readonly<Record<MediaType, string>> = {
  json: JSON_TYPE,
  object: 'application/vnd.pgrst.object+json; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
};

/** Throws PGRST116 unless there is exactly one row. */
function requireOne(rows: number): void {
  if (rows !== 1) throw notOneRow(rows);
}

function bodyOf(media: MediaType, result: QueryResult): string {
  if (media === 'json') return result.json;
  if (media === 'csv') return toCsv(result.json);
  requireOne(result.rowCount);
  return result.json.trim().slice(1, -1);
}

/** `0-9/42`; `*` for no rows, and for a total that was not asked for. */
function contentRange(offset: number, rows: number, total: number | null): string {
  const range = rows === 0 ? '*' : `${offset}-${offset + rows - 1}`;
  return total === null ? `${range}/*` : `${range}/${total}`;
}

function readStatus(offset: number, rows: number, total: number | null): number {
  if (total === null) return 200;
  if (offset > total) {
    const details = `An offset of ${offset} was requested, but there are only ${total} rows.`;
    throw new MagError('PGRST103', {}, { details });
  }
  return rows < total ? 206 : 200;
}

function replyToRead(plan: RestPlan, result: QueryResult): RestReply {
  const { offset } = plan;
  const { rowCount, total } = result;
  const status = readStatus(offset, rowCount, total);
  const headers = ['content-type', TYPES[plan.media], 'content-range', contentRange(offset, rowCount, total)];
  if (plan.prefer.applied.read !== '') headers.push('preference-applied', plan.prefer.applied.read);
  return { status: plan.media === 'object' ? 200 : status, headers, body: bodyOf(plan.media, result) };
}

function replyToWrite(plan: RestPlan, result: QueryResult, location: string | null): RestReply {
  const { kind } = plan.query;
  const total = plan.prefer.count === null ? null : result.rowCount;
  const range = contentRange(0, kind === 'update' ? result.rowCount : 0, total);
  const headers = ['content-range', range];
  const applied = kind === 'insert' ? plan.prefer.applied.insert : plan.prefer.applied.write;
  if (applied !== '') headers.push('preference-applied', applied);
  if (location !== null) headers.push('location', location);
  if (!plan.returning) return { status: kind === 'insert' ? 201 : 204, headers, body: null };
  headers.push('content-type', TYPES[plan.media]);
  return { status: kind === 'insert' ? 201 : 200, headers, body: bodyOf(plan.media, result) };
}

/** The reply PostgREST would give. Throws PGRST116 (not one row) or PGRST103 (an offset beyond the rows). */
export function replyTo(plan: RestPlan, result: QueryResult, location: string | null): RestReply {
  return plan.query.kind === 'select' ? replyToRead(plan, result) : replyToWrite(plan, result, location);
}
