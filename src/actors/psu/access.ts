import { MagError } from '../../errors.ts';
import type { RowTypes } from '../../protocol/compare-value.ts';
import { matches } from '../../protocol/filter-match.ts';
import type { Grant, Principal, TableAction } from '../../protocol/principal.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { Filter, Query, Row } from '../../protocol/query.ts';
import { fillClaims, NOTHING } from './claims.ts';
import { type Rule, rulesFor } from './grant-rules.ts';

/** What a principal may touch of a table: every row, the rows of a filter, or no row. */
type Reach = 'all' | Filter;

function join(kind: 'and' | 'or', terms: readonly Filter[]): Filter {
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only : { kind, terms, negated: false };
}

/** Several grants add up: a row is reached where one of them reaches it. */
function reachOf(rules: readonly Rule[], principal: Principal): Reach {
  const filters: Filter[] = [];
  for (const rule of rules) {
    if (rule.filter === null) return 'all';
    const filter = fillClaims(rule.filter, principal.claims);
    if (filter !== NOTHING) filters.push(filter);
  }
  return filters.length === 0 ? NOTHING : join('or', filters);
}

function reach(principal: Principal, grants: readonly Grant[], table: string, action: TableAction): Reach {
  const rules = rulesFor(grants, principal.role, table, action);
  if (rules.length === 0) throw new MagError('MAG_FORBIDDEN', { role: principal.role, action, table });
  return reachOf(rules, principal);
}

/** A row that is in both. */
function both(left: Reach, right: Reach): Reach {
  if (left === 'all') return right;
  return right === 'all' || right === left ? left : join('and', [left, right]);
}

function narrow(where: Filter | undefined, by: Reach): { readonly where?: Filter } {
  if (by === 'all') return where === undefined ? {} : { where };
  return { where: where === undefined ? by : join('and', [where, by]) };
}

const checked = (by: Reach): { readonly check?: Filter } => (by === 'all' ? {} : { check: by });

/**
 * The query as this principal may run it: narrowed to the rows that the project's grants show it, every row that
 * it writes checked against them. The service role's query comes back as it is.
 *
 * A write that reads (a filter, or rows given back) needs `select` too and touches only rows that it shows;
 * otherwise a filter on a hidden column would tell what is in it by how many rows it changed.
 *
 * Throws MAG_FORBIDDEN where no grant covers the action.
 */
export function authorise(principal: Principal, grants: readonly Grant[], query: Query): Query {
  if (principal.role === 'service_role') return query;
  const { table } = query;
  if (query.schema !== 'public') {
    throw new MagError('MAG_FORBIDDEN', { role: principal.role, action: query.kind, table });
  }
  const own = reach(principal, grants, table, query.kind);
  if (query.kind === 'select') {
    return own === 'all' ? query : { ...query, ...narrow(query.where, own) };
  }
  const returns = query.returning !== undefined;
  const reads = returns || (query.kind !== 'insert' && query.where !== undefined);
  const seen = reads ? reach(principal, grants, table, 'select') : 'all';
  const within = both(own, seen);
  if (query.kind === 'delete') return { ...query, ...narrow(query.where, within) };
  const check = checked(returns ? within : own);
  if (query.kind === 'update') return { ...query, ...narrow(query.where, within), ...check };
  if (query.onConflict?.resolution === 'merge') requireWholeTable(principal, grants, table);
  return { ...query, ...check };
}

/**
 * The same by a project's settings: where it leaves access to the database's own policies, the query stays as it is.
 * Throws MAG_ENGINE_UNAVAILABLE where the request could not run under a role that these policies are for.
 */
export function authoriseBy(project: ProjectHandle, principal: Principal, query: Query): Query {
  const { settings, connection } = project;
  if (settings.access !== 'policies' || principal.role === 'service_role')
    return authorise(principal, settings.grants, query);
  const roles = connection.engine === 'postgres' ? (connection.requestRoles ?? []) : [];
  if (roles.includes(principal.role)) return query;
  const why = `its administrator may not grant the role ${principal.role}, under which policies are asked`;
  throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine: project.engine, why });
}

/**
 * An upsert writes over rows that are there already, and no engine can yet hold those against the row filter of the
 * update grant: where there is one, merging would let a principal take over other people's rows.
 */
function requireWholeTable(principal: Principal, grants: readonly Grant[], table: string): void {
  if (reach(principal, grants, table, 'update') === 'all') return;
  throw new MagError(
    'MAG_FORBIDDEN',
    { role: principal.role, action: 'merge into', table },
    { details: 'The update grant has a row filter.', hint: 'Insert and update separately.' },
  );
}

/**
 * Which sides of a row change this principal may see, by the same grants that decide REST reads. A rule that cannot
 * be read shows nothing. `types`: by whose rules values compare, as the row's engine does.
 */
export function visible(
  principal: Principal,
  grants: readonly Grant[],
  table: string,
  old: Row | null,
  now: Row | null,
  types?: RowTypes,
): { readonly old: boolean; readonly new: boolean } {
  if (principal.role === 'service_role') return { old: old !== null, new: now !== null };
  const rules = rulesFor(grants, principal.role, table, 'select');
  if (rules.length === 0) return { old: false, new: false };
  const shown = reachOf(rules, principal);
  const sees = (row: Row | null): boolean => row !== null && (shown === 'all' || matches(shown, row, types));
  return { old: sees(old), new: sees(now) };
}
