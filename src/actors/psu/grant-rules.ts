import { MagError } from '../../errors.ts';
import { MIGRATIONS_TABLE } from '../../protocol/migrations.ts';
import type { Grant, Principal, TableAction } from '../../protocol/principal.ts';
import type { Filter } from '../../protocol/query.ts';
import { parseFilter } from '../gate/grammar/filter.ts';
import { isDecided } from './claims.ts';

/** A grant as the access check reads it. */
export interface Rule {
  /** Null: every row. May hold `{claim}` placeholders. */
  readonly filter: Filter | null;
}

const NONE: readonly Rule[] = [];

interface Compiled {
  readonly rule: Rule;
  readonly grant: Grant;
}

// A project's grants are one frozen list until its settings change, which makes a new list; so both memories
// follow the list's lifetime, and the second is bounded by the tables that were asked for.
const compiled = new WeakMap<readonly Grant[], readonly Compiled[]>();
const selected = new WeakMap<readonly Grant[], Map<string, readonly Rule[]>>();
const SELECTIONS = 1_024;

/** A rule that cannot be read grants nothing: settings are checked at the door, so this is the second line. */
function compile(grants: readonly Grant[]): readonly Compiled[] {
  const known = compiled.get(grants);
  if (known !== undefined) return known;
  const made: Compiled[] = [];
  for (const grant of grants) {
    if (grant.using === undefined) {
      made.push({ grant, rule: { filter: null } });
      continue;
    }
    const filter = tryParse(grant.using);
    if (filter !== null) made.push({ grant, rule: { filter } });
  }
  compiled.set(grants, made);
  return made;
}

/**
 * A grant's row filter. Throws PGRST100, or MAG_FILTER_INVALID for what only the engine could decide: the same rule
 * says which changes a socket sees, without asking it.
 */
export function parseRule(text: string): Filter {
  const filter = parseFilter(text);
  if (isDecided(filter)) return filter;
  const problem = 'a grant compares columns by eq, neq, gt, gte, lt, lte, like, ilike, in and is alone';
  throw new MagError('MAG_FILTER_INVALID', { filter: text.slice(0, 200), problem }, { details: problem });
}

function tryParse(text: string): Filter | null {
  try {
    return parseRule(text);
  } catch {
    return null;
  }
}

/** All tables are the project's; which migrations it has had is nobody's to change but by name. */
const covers = (grant: Grant, table: string): boolean =>
  grant.table === table || (grant.table === '*' && table !== MIGRATIONS_TABLE);

/** The rules of a role for an action on a table, `*` grants included; parsed once per list of grants. */
export function rulesFor(
  grants: readonly Grant[],
  role: Principal['role'],
  table: string,
  action: TableAction,
): readonly Rule[] {
  if (grants.length === 0) return NONE;
  let map = selected.get(grants);
  if (map === undefined) {
    map = new Map();
    selected.set(grants, map);
  }
  const key = `${role} ${action} ${table}`;
  const known = map.get(key);
  if (known !== undefined) return known;
  const rules = compile(grants)
    .filter(({ grant }) => grant.role === role && covers(grant, table))
    .filter(({ grant }) => grant.actions.includes(action))
    .map(({ rule }) => rule);
  if (map.size >= SELECTIONS) map.clear();
  map.set(key, rules);
  return rules;
}
