import { MagError } from '../../errors.ts';
import type { RowTypes } from '../../protocol/compare-value.ts';
import { matches } from '../../protocol/filter-match.ts';
import { type Grant, type Principal, TABLE_ACTIONS, type TableAction } from '../../protocol/principal.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { CallQuery, Embed, Filter, Query, Row, SelectItem, SelectQuery } from '../../protocol/query.ts';
import type { Reachable, SchemaSnapshot } from '../storage/engine.ts';
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

/** Rows of a table in the public schema that are read, whatever for. Grants know of no other schema. */
function reading(principal: Principal, grants: readonly Grant[], schema: string, table: string): Reach {
  if (schema === 'public') return reach(principal, grants, table, 'select');
  throw new MagError('MAG_FORBIDDEN', { role: principal.role, action: 'select', table });
}

/**
 * An embed narrowed to the rows of its own table that the principal may see. The table in between must be seen whole:
 * its rows are not shown, yet which of them are there is.
 */
function authoriseEmbed(principal: Principal, grants: readonly Grant[], embed: Embed): Embed {
  const { role } = principal;
  const { join: tied } = embed;
  if (tied === undefined)
    throw new MagError('MAG_FORBIDDEN', { role, action: 'select', table: embed.relation });
  if (tied.via !== undefined && reading(principal, grants, tied.via.schema, tied.via.table) !== 'all') {
    throw new MagError(
      'MAG_FORBIDDEN',
      { role, action: 'embed through', table: tied.via.table },
      { details: 'The select grant has a row filter.' },
    );
  }
  const seen = reading(principal, grants, tied.schema, tied.table);
  const select = authoriseItems(principal, grants, embed.select);
  return { ...embed, select, ...narrow(embed.where, seen) };
}

/** The items themselves where they embed nothing: the usual request makes no copy. */
function authoriseItems(
  principal: Principal,
  grants: readonly Grant[],
  items: readonly SelectItem[],
): readonly SelectItem[] {
  for (const item of items) {
    if (item.kind !== 'embed') continue;
    return items.map((each) =>
      each.kind === 'embed' ? { kind: 'embed', embed: authoriseEmbed(principal, grants, each.embed) } : each,
    );
  }
  return items;
}

function authoriseSelect(
  principal: Principal,
  grants: readonly Grant[],
  query: SelectQuery,
  own: Reach,
): Query {
  const select = authoriseItems(principal, grants, query.select);
  if (own === 'all') return select === query.select ? query : { ...query, select };
  return { ...query, select, ...narrow(query.where, own) };
}

/**
 * The query as this principal may run it: narrowed to the rows that the project's grants show it, each embedded table
 * by its own, every row that it writes checked against them. The service role's query comes back as it is.
 *
 * A write that reads (a filter, or rows given back) needs `select` too and touches only rows that it shows;
 * otherwise a filter on a hidden column would tell what is in it by how many rows it changed. A function may do
 * anything, so no grant covers it.
 *
 * Throws MAG_FORBIDDEN where no grant covers the action.
 */
export function authorise<Of extends Query | CallQuery>(
  principal: Principal,
  grants: readonly Grant[],
  query: Of,
): Of | Query {
  const { role } = principal;
  if (role === 'service_role') return query;
  if (query.kind === 'call')
    throw new MagError('MAG_FORBIDDEN', { role, action: 'call', table: query.function });
  const { table } = query;
  if (query.schema !== 'public') throw new MagError('MAG_FORBIDDEN', { role, action: query.kind, table });
  const own = reach(principal, grants, table, query.kind);
  if (query.kind === 'select') return authoriseSelect(principal, grants, query, own);
  const items = query.returning;
  const reads = items !== undefined || (query.kind !== 'insert' && query.where !== undefined);
  const seen = reads ? reach(principal, grants, table, 'select') : 'all';
  const within = both(own, seen);
  const returning = items === undefined ? {} : { returning: authoriseItems(principal, grants, items) };
  if (query.kind === 'delete') return { ...query, ...returning, ...narrow(query.where, within) };
  const check = checked(items === undefined ? own : within);
  if (query.kind === 'update') return { ...query, ...returning, ...narrow(query.where, within), ...check };
  if (query.onConflict?.resolution === 'merge') requireWholeTable(principal, grants, table);
  return { ...query, ...returning, ...check };
}

/**
 * The same by a project's settings: where it leaves access to the database's own policies, the query stays as it is.
 * Throws MAG_ENGINE_UNAVAILABLE where the request could not run under a role that these policies are for.
 */
export function authoriseBy<Of extends Query | CallQuery>(
  project: ProjectHandle,
  principal: Principal,
  query: Of,
): Of | Query {
  const { settings } = project;
  if (settings.access !== 'policies' || principal.role === 'service_role')
    return authorise(principal, settings.grants, query);
  requireRequestRole(project, principal);
  return query;
}

/** Throws MAG_ENGINE_UNAVAILABLE where the database has no role for the principal, whose privileges would decide. */
function requireRequestRole({ connection, engine }: ProjectHandle, principal: Principal): void {
  const roles = connection.engine === 'postgres' ? (connection.requestRoles ?? []) : [];
  if (roles.includes(principal.role)) return;
  const why = `its administrator may not grant the role ${principal.role}, under which policies are asked`;
  throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine, why });
}

/**
 * What the principal may use of the project, whoever decides: everything for the service role, else what `asked` of the
 * database says, or the tables that its grants name. Throws as authoriseBy.
 */
export async function reachableBy(
  project: ProjectHandle,
  principal: Principal,
  { version, tables, functions = [] }: SchemaSnapshot,
  asked: () => Promise<Reachable>,
): Promise<Reachable> {
  const { role } = principal;
  const { access, grants } = project.settings;
  const all = [...tables.values()];
  if (role === 'service_role')
    return { version, tables: all.map((table) => ({ table, actions: TABLE_ACTIONS })), functions };
  if (access === 'policies') {
    requireRequestRole(project, principal);
    return asked();
  }
  const granted = all
    .filter((table) => table.schema === 'public')
    .map((table) => ({
      table,
      actions: TABLE_ACTIONS.filter((action) => rulesFor(grants, role, table.name, action).length > 0),
    }));
  return { version, tables: granted.filter(({ actions }) => actions.length > 0), functions: [] };
}

/** Throws MAG_FORBIDDEN where no grant lets the principal do anything with the table; policies decide in their time. */
export function requireAnyGrant({ settings }: ProjectHandle, { role }: Principal, table: string): void {
  if (role === 'service_role' || settings.access === 'policies') return;
  if (TABLE_ACTIONS.some((action) => rulesFor(settings.grants, role, table, action).length > 0)) return;
  throw new MagError('MAG_FORBIDDEN', { role, action: 'select', table });
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
