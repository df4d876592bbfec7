import type { Principal } from '../../../protocol/principal.ts';
import type { ExecuteContext, HttpRequest, SchemaSnapshot } from '../engine.ts';
import { MERGED } from '../sql/postgres-text.ts';
import { identifier } from './quoting.ts';
import type { Bound } from './wire.ts';

const DEFAULT_SCHEMA = 'public';
const DEFAULT_PATH: readonly string[] = [DEFAULT_SCHEMA];

const set = (name: string, position: number): string =>
  `pg_catalog.set_config('${name}', $${position}, true) IS NOT NULL`;
const setRole = (position: number): string => `pg_catalog.set_config('role', $${position}, true) IS NULL`;

/**
 * What runs before each query of the grammar, in the same write and the same transaction: the role and the settings
 * that row level security reads. Local to the transaction, so that they end with it however it ends, and the
 * connection's next user starts without them. The role comes last: it is refused where it was taken away, and nothing
 * after it runs. As conditions, of which the last never holds, they give no row: it would come back for nobody.
 */
const CLAIMS_AND_ROLE = `SELECT WHERE ${set('request.jwt.claims', 1)} AND ${setRole(2)}`;

const REQUEST_TOO =
  `SELECT WHERE ${set('request.jwt.claims', 1)} AND ${set('request.method', 3)} AND ${set('request.path', 4)} ` +
  `AND ${set('request.headers', 5)} AND ${set('request.cookies', 6)} AND ${setRole(2)}`;

/** The claims as PostgREST sets them: with the role, also where a bare key has no others. A principal is frozen. */
const claimTexts = new WeakMap<Principal, string>();

function claimText(principal: Principal): string {
  const known = claimTexts.get(principal);
  if (known !== undefined) return known;
  const text = JSON.stringify({ ...principal.claims, role: principal.role });
  claimTexts.set(principal, text);
  return text;
}

/** `a=1; b=2` as JSON. */
function cookies(header: string | string[] | undefined): string {
  if (typeof header !== 'string') return '{}';
  const pairs = header.split(';').flatMap((pair) => {
    const mark = pair.indexOf('=');
    return mark < 0 ? [] : [[pair.slice(0, mark).trim(), pair.slice(mark + 1).trim()]];
  });
  return JSON.stringify(Object.fromEntries(pairs));
}

const requestTexts = ({ method, path, headers }: HttpRequest): readonly string[] => [
  method,
  path,
  JSON.stringify(headers),
  cookies(headers.cookie),
];

const NO_REQUEST: readonly string[] = ['', '', '', ''];

/**
 * @param roles those that the project's role may become here; what others ask runs as the project's role itself.
 * @param whole whether the request is set too, for SQL that reads it.
 * @param schema whose names, before those of the extra search path, need no schema before them.
 */
function requestRole(
  context: ExecuteContext,
  roles: readonly Principal['role'][] = [],
  whole = true,
  schema = DEFAULT_SCHEMA,
): Bound {
  const { timezone = null, extraSearchPath } = context;
  const bound = inSchemas(boundRole(context, roles, whole), schema, extraSearchPath);
  return timezone === null ? bound : inZone(bound, timezone);
}

/**
 * What runs before a query: the role, and then under it the project's own function, which may look at the request,
 * refuse it, or become another role.
 * @param mode `read`: the query must not write · `merge`: it is an upsert.
 */
export function beforeQuery(
  context: ExecuteContext,
  roles: readonly Principal['role'][] | undefined,
  { readsRequest }: Pick<SchemaSnapshot, 'readsRequest'>,
  schema: string,
  mode: QueryMode,
): Bound {
  const role = requestRole(context, roles, readsRequest !== false, schema);
  const before = MODES[mode](role);
  const { preRequest } = context;
  return preRequest === undefined ? before : { ...before, next: callOf(preRequest) };
}

/** Its text changes with the setting: it is not kept prepared under a name. Without a schema it is found as others are. */
function callOf(name: string): Bound {
  const dot = name.indexOf('.');
  const called =
    dot < 0 ? identifier(name) : `${identifier(name.slice(0, dot))}.${identifier(name.slice(dot + 1))}`;
  return { text: `SELECT FROM ${called}()`, name: '', values: [] };
}

function boundRole(
  { principal, request }: ExecuteContext,
  roles: readonly Principal['role'][],
  whole: boolean,
): Bound {
  const role = roles.includes(principal.role) ? principal.role : 'none';
  const values = [claimText(principal), role];
  if (!whole) return { text: CLAIMS_AND_ROLE, name: 'mag_role', values };
  const asked = request === undefined ? NO_REQUEST : requestTexts(request);
  return { text: REQUEST_TOO, name: 'mag_request', values: [...values, ...asked] };
}

/** The same where not `public` alone is looked in: functions, operators and types are found as PostgREST finds them. */
function inSchemas(bound: Bound, schema: string, extra = DEFAULT_PATH): Bound {
  if (schema === DEFAULT_SCHEMA && extra === DEFAULT_PATH) return bound;
  const path = [...new Set([schema, ...extra])].map(identifier).join(', ');
  return {
    text: bound.text.replace(
      'SELECT WHERE ',
      `SELECT WHERE ${set('search_path', bound.values.length + 1)} AND `,
    ),
    name: `${bound.name}_schema`,
    values: [...bound.values, path],
  };
}

/** The same where the reply tells times of another zone; one that there is not fails as PostgreSQL words it. */
const inZone = ({ text, name, values }: Bound, timezone: string): Bound => ({
  text: text.replace('SELECT WHERE ', `SELECT WHERE ${set('timezone', values.length + 1)} AND `),
  name: `${name}_zone`,
  values: [...values, timezone],
});

const NONE_MERGED = `SELECT WHERE pg_catalog.set_config('${MERGED}', '0', true) IS NOT NULL AND `;

/** The same before an upsert, whose statement counts the rows that it writes over. */
const countingMerged = ({ text, name, values }: Bound): Bound => ({
  text: text.replace('SELECT WHERE ', NONE_MERGED),
  name: `${name}_merge`,
  values,
});

const NO_WRITES = `SELECT WHERE pg_catalog.set_config('transaction_read_only', 'on', true) IS NOT NULL AND `;

/** The same where it must not write: what it tries to fails as PostgreSQL words it. */
const readOnly = ({ text, name, values }: Bound): Bound => ({
  text: text.replace('SELECT WHERE ', NO_WRITES),
  name: `${name}_read`,
  values,
});

const MODES = { any: (bound: Bound): Bound => bound, read: readOnly, merge: countingMerged };

export type QueryMode = keyof typeof MODES;
