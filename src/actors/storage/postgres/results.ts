import { MagError } from '../../../errors.ts';
import type { Query } from '../../../protocol/query.ts';
import type { ExecuteContext, QueryResult } from '../engine.ts';
import type { CompiledStatement } from '../sql/dialect.ts';
import { isMerge, isSingle } from '../sql/query-shape.ts';
import type { JsonStatement } from './json-statement.ts';
import type { NativeStatement } from './native-statement.ts';
import { responseOf } from './response-settings.ts';
import { resultLimit } from './session.ts';

/** Every row of an upsert is there afterwards: what was not written over was made. */
function insertedBy(query: Query, { second }: JsonStatement): Pick<QueryResult, 'inserted'> {
  if (query.kind !== 'insert' || !isMerge(query)) return {};
  return { inserted: query.rows.length - Number(second ?? 0) };
}

/** The answer of a query out of the rows of its statement. */
export function resultOf(query: Query, plan: CompiledStatement, statement: JsonStatement): QueryResult {
  const response = responseOf(statement.settings);
  if (query.kind === 'select') {
    const counted = query.count !== undefined;
    return {
      ...{ json: statement.json, rowCount: statement.rowCount, ...response },
      ...{ total: counted ? Number(statement.second ?? 0) : null, totalKind: counted ? 'exact' : null },
    };
  }
  const none = { total: null, totalKind: null, ...insertedBy(query, statement), ...response };
  if (query.returning !== undefined) return { json: statement.json, rowCount: statement.rowCount, ...none };
  const counts = plan.hasCheck || query.maxAffected !== undefined || isSingle(query) || isMerge(query);
  const rowCount = counts ? Number(statement.first ?? 0) : statement.affected;
  return { json: '[]', rowCount, ...none };
}

/** Why a native statement was refused while it ran; null where it was not. */
export function refusal(native: NativeStatement): MagError | null {
  if (native.refused === 'too_large') return new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit });
  if (native.refused === 'copy')
    return new MagError('MAG_STATEMENT_FORBIDDEN', {
      why: 'COPY from or to the client needs a native connection',
    });
  return null;
}

/** Throws MAG_FORBIDDEN where the statement calls a function that its principal may not. */
export function requireCalls(
  { calls }: Pick<CompiledStatement, 'calls'>,
  { principal: { role }, mayCall }: ExecuteContext,
): void {
  if (calls === null || role === 'service_role' || mayCall === true) return;
  throw new MagError('MAG_FORBIDDEN', { role, action: 'call', table: calls });
}
