import type { Filter } from '../../protocol/query.ts';

type Claims = Readonly<Record<string, unknown>>;

/** `{sub}` or `{app_metadata.team}` in a rule's value. */
const PLACEHOLDER = /\{([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)\}/g;
const WHOLE = /^\{([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)\}$/;

/** The principal does not have a claim that the rule asks for. */
const MISSING = Symbol('missing claim');

function lookUp(claims: Claims, path: string): unknown {
  let value: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

function scalar(value: unknown): string | typeof MISSING {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : MISSING;
}

/** A claim's text inside a LIKE pattern stands for itself, wildcards and all. */
const asPattern = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

function fill(template: string, claims: Claims, pattern: boolean): string | typeof MISSING {
  if (!template.includes('{')) return template;
  let missing = false;
  const filled = template.replace(PLACEHOLDER, (_whole, path: string) => {
    const text = scalar(lookUp(claims, path));
    const used = text !== MISSING && pattern ? asPattern(text) : text;
    if (used !== MISSING) return used;
    missing = true;
    return '';
  });
  return missing ? MISSING : filled;
}

/** `in.({teams})` where the claim is a list stands for its members. */
function fillList(values: readonly string[], claims: Claims): string[] | typeof MISSING {
  const filled: string[] = [];
  for (const value of values) {
    const path = WHOLE.exec(value)?.[1];
    const claim = path === undefined ? undefined : lookUp(claims, path);
    for (const member of Array.isArray(claim) ? claim : [claim]) {
      const text = Array.isArray(claim) ? scalar(member) : fill(value, claims, false);
      if (text === MISSING) return MISSING;
      filled.push(text);
    }
  }
  return filled;
}

/** Comparisons that are decided alike by every engine and by filter-match.ts. */
const DECIDED: ReadonlySet<string> = new Set(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'like', 'ilike']);

/** Whether filter-match.ts decides it as every engine does. */
export function isDecided(filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.terms.every(isDecided);
    case 'compare':
      return filter.column.path === undefined && DECIDED.has(filter.op);
    case 'in':
    case 'is':
      return filter.column.path === undefined;
    default:
      return false;
  }
}

/** Selects nothing. */
export const NOTHING: Filter = { kind: 'or', terms: [], negated: false };
const EVERYTHING: Filter = { kind: 'and', terms: [], negated: false };

/**
 * Puts the principal's claims into a rule's filter. Comparing with a claim that is missing is unknown, as with
 * NULL: the result selects a row exactly where the rule would be true. `positive`: the filter stands under an
 * even number of negations, so that unknown may be read as false; under an odd number it must be read as true.
 */
export function fillClaims(filter: Filter, claims: Claims, positive = true): Filter {
  switch (filter.kind) {
    case 'compare': {
      if (!DECIDED.has(filter.op)) return positive ? NOTHING : EVERYTHING;
      const value = fill(filter.value, claims, filter.op === 'like' || filter.op === 'ilike');
      if (value === MISSING) return positive ? NOTHING : EVERYTHING;
      return value === filter.value ? filter : { ...filter, value };
    }
    case 'in': {
      const values = fillList(filter.values, claims);
      if (values === MISSING) return positive ? NOTHING : EVERYTHING;
      return { ...filter, values };
    }
    case 'is':
      return filter;
    case 'and':
    case 'or': {
      const inner = filter.negated ? !positive : positive;
      const terms = filter.terms.map((term) => fillClaims(term, claims, inner));
      if (filter.kind === 'and' && !filter.negated && terms.includes(NOTHING)) return NOTHING;
      return { ...filter, terms };
    }
    default: // Realtime could not decide it as the engine does: it grants nothing.
      return positive ? NOTHING : EVERYTHING;
  }
}
