import type { Engine } from '../storage/engine.ts';
import { knownTable } from '../storage/sql/tables.ts';
import type { RestCall } from './rest-call.ts';
import type { RestPlan } from './rest-plan.ts';

/**
 * Of an upsert that names no target: into a table without a primary key it is a plain insert, as with PostgREST, and its
 * reply confirms no resolution.
 */
export async function withoutTarget(engine: Engine, call: RestCall, plan: RestPlan): Promise<RestPlan> {
  const { query, prefer } = plan;
  if (query.kind !== 'insert' || query.onConflict === undefined) return plan;
  if (plan.kind === 'put' || query.onConflict.columns !== undefined) return plan;
  const table = knownTable(await engine.schema(call), query.schema, query.table);
  if (table === undefined || table.columns.some(({ primaryKey }) => primaryKey > 0)) return plan;
  const insert = prefer.applied.insert.replace(/resolution=[a-z-]+(?:, )?/, '');
  return { ...plan, prefer: { ...prefer, resolution: null, applied: { ...prefer.applied, insert } } };
}
