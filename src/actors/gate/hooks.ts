import type { Principal } from '../../protocol/principal.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { CallQuery, Query } from '../../protocol/query.ts';
import type { QueryResult } from '../storage/engine.ts';

/** A REST request as its stages see it. A hook may replace `query` (before execution) and `result` (after). */
export interface StagedRequest {
  readonly id: string;
  readonly project: ProjectHandle;
  readonly principal: Principal;
  query: Query | CallQuery | null;
  result: QueryResult | null;
}

export type Stage = 'authenticated' | 'parsed' | 'authorised' | 'executed';

/** Rejecting refuses the request with that error. Never runs inside a transaction. */
export type StageHook = (request: StagedRequest) => Promise<void>;

/**
 * Hooks of each named stage, in order. A request passes `authenticated` (project and principal known), `parsed`
 * (the AST), `authorised` (the AST narrowed by grants) and `executed` (the rows). An empty stage costs one branch.
 */
export type StageHooks = Readonly<Record<Stage, readonly StageHook[]>>;

export const NO_HOOKS: StageHooks = { authenticated: [], parsed: [], authorised: [], executed: [] };

export async function runHooks(hooks: readonly StageHook[], request: StagedRequest): Promise<void> {
  for (const hook of hooks) await hook(request);
}
