import type { Principal } from '../../../protocol/principal.ts';
import type { ExecuteContext } from '../engine.ts';
import type { Bound } from './wire.ts';

/**
 * What runs before each query of the grammar, in the same write and the same transaction: the role and the settings
 * that row level security reads. Local to the transaction, so that they end with it however it ends, and the
 * connection's next user starts without them. The role comes last: it is refused where it was taken away, and nothing
 * after it runs.
 */
const TEXT =
  `SELECT pg_catalog.set_config('request.jwt.claims', $1, true), pg_catalog.set_config('request.method', $2, true), ` +
  `pg_catalog.set_config('request.path', $3, true), pg_catalog.set_config('role', $4, true)`;

/** The claims as PostgREST sets them: with the role, also where a bare key has no others. A principal is frozen. */
const claimTexts = new WeakMap<Principal, string>();

function claimText(principal: Principal): string {
  const known = claimTexts.get(principal);
  if (known !== undefined) return known;
  const text = JSON.stringify({ ...principal.claims, role: principal.role });
  claimTexts.set(principal, text);
  return text;
}

/** @param roles those that the project's role may become here; what others ask runs as the project's role itself. */
export function requestRole(context: ExecuteContext, roles: readonly Principal['role'][] = []): Bound {
  const { principal, request } = context;
  const role = roles.includes(principal.role) ? principal.role : 'none';
  return {
    text: TEXT,
    name: 'mag_role',
    values: [claimText(principal), request?.method ?? '', request?.path ?? '', role],
  };
}
