import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { GRANT_ROLES, type Grant, TABLE_ACTIONS, type TableAction } from '../../protocol/principal.ts';
import {
  ACCESS_MODES,
  type AccessMode,
  type EngineKind,
  type ProjectSettings,
} from '../../protocol/project.ts';

const GRANT_FIELDS = ['role', 'table', 'actions', 'using'];
/** Characters of a rule that its refusal repeats. */
const SHOWN = 200;

const refuse = (problem: string): MagError => new MagError('MAG_BAD_REQUEST', { problem });

function object(value: unknown, where: string, fields: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(`${where} must be an object`);
  const extra = Object.keys(value).find((key) => !fields.includes(key));
  if (extra !== undefined) throw refuse(`${where} has an unknown field ${extra}`);
  // An object that is no array is a record of unknowns.
  return value as Record<string, unknown>;
}

function checkActions(value: unknown, where: string): readonly TableAction[] {
  if (!Array.isArray(value) || value.length === 0)
    throw refuse(`${where}.actions must be a list that is not empty`);
  const actions = value.map((item: unknown) => {
    const action = TABLE_ACTIONS.find((known) => known === item);
    if (action === undefined) throw refuse(`${where}.actions may hold ${TABLE_ACTIONS.join(', ')}`);
    return action;
  });
  return [...new Set(actions)];
}

function checkGrant(value: unknown, where: string, validateUsing: (text: string) => void): Grant {
  const { role: given, table, actions, using } = object(value, where, GRANT_FIELDS);
  const role = GRANT_ROLES.find((known) => known === given);
  if (role === undefined) throw refuse(`${where}.role must be ${GRANT_ROLES.join(' or ')}`);
  if (typeof table !== 'string' || table === '' || table.length > LIMITS.grantTableChars) {
    throw refuse(`${where}.table must be a table's name, or *`);
  }
  const grant = { role, table, actions: checkActions(actions, where) } as const;
  if (using === undefined) return grant;
  if (typeof using !== 'string' || using === '' || using.length > LIMITS.grantUsingChars) {
    throw refuse(`${where}.using must be a filter of at most ${LIMITS.grantUsingChars} characters`);
  }
  try {
    validateUsing(using);
  } catch (cause) {
    const problem = cause instanceof MagError ? String(cause.details ?? cause.message) : 'unreadable';
    throw new MagError('MAG_FILTER_INVALID', { filter: using.slice(0, SHOWN), problem }, { cause });
  }
  return { ...grant, using };
}

const SETTINGS = [
  'grants',
  'access',
  'schemas',
  'extraSearchPath',
  'maxRows',
  'aggregates',
  'plans',
  'serverTiming',
  'preRequest',
];

/**
 * Settings as they may be stored: the one place that says so. `validateUsing` throws where a row filter does not parse.
 * Throws MAG_BAD_REQUEST that names the field, MAG_FILTER_INVALID, or MAG_ENGINE_UNSUPPORTED.
 */
export function checkSettings(
  value: unknown,
  engine: EngineKind,
  validateUsing: (text: string) => void,
): ProjectSettings {
  const given = object(value, 'settings', SETTINGS);
  const { grants } = given;
  if (!Array.isArray(grants) || grants.length > LIMITS.grants) {
    throw refuse(`settings.grants must be a list of at most ${LIMITS.grants} grants`);
  }
  const checked = grants.map((grant: unknown, index) =>
    checkGrant(grant, `settings.grants[${index}]`, validateUsing),
  );
  const schemas = checkSchemas(given.schemas, engine);
  const extra = checkSearchPath(given.extraSearchPath, engine);
  const maxRows = checkMaxRows(given.maxRows);
  return {
    grants: checked,
    ...(checkAccess(given.access, engine) === 'policies' ? { access: 'policies' } : {}),
    ...(schemas.length > 0 ? { schemas } : {}),
    ...(extra === null ? {} : { extraSearchPath: extra }),
    ...(maxRows === null ? {} : { maxRows }),
    ...(checkFlag('aggregates', given.aggregates) ? { aggregates: true } : {}),
    ...(checkPlans(given.plans, engine) ? { plans: true } : {}),
    ...(checkFlag('serverTiming', given.serverTiming) ? { serverTiming: true } : {}),
    ...checkPreRequest(given.preRequest, engine),
  };
}

/** PostgreSQL's own schemas and ours hold what is nobody's to reach. */
const RESERVED_SCHEMA = /^(?:pg_|_mag)|^information_schema$/;

/** Names of schemas, each once, in their order. */
function schemaNames(given: unknown, setting: 'schemas' | 'extraSearchPath'): readonly string[] {
  if (!Array.isArray(given) || given.length > LIMITS.schemas)
    throw refuse(`settings.${setting} must be a list of at most ${LIMITS.schemas} names`);
  const names = given.map((name: unknown) => {
    if (
      typeof name !== 'string' ||
      name === '' ||
      name.length > LIMITS.grantTableChars ||
      name.includes('\0')
    )
      throw refuse(`settings.${setting} must hold names`);
    if (RESERVED_SCHEMA.test(name)) throw refuse(`settings.${setting} must not hold ${name}`);
    return name;
  });
  return [...new Set(names)];
}

const isPublic = (names: readonly string[]): boolean => names.length === 1 && names[0] === 'public';

function checkSchemas(given: unknown, engine: EngineKind): readonly string[] {
  if (given === undefined) return [];
  const names = schemaNames(given, 'schemas');
  if (names.length > 0 && engine !== 'postgres')
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: 'expose schemas' });
  return isPublic(names) ? [] : names;
}

/** Null: `public`, as where nothing is said. */
function checkSearchPath(given: unknown, engine: EngineKind): readonly string[] | null {
  if (given === undefined) return null;
  const names = schemaNames(given, 'extraSearchPath');
  if (engine !== 'postgres')
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: 'have a search path' });
  return isPublic(names) ? null : names;
}

function checkMaxRows(given: unknown): number | null {
  if (given === undefined) return null;
  if (typeof given === 'number' && Number.isInteger(given) && given >= 1 && given <= LIMITS.maxRows)
    return given;
  throw refuse(`settings.maxRows must be a whole number from 1 to ${LIMITS.maxRows}`);
}

function checkFlag(name: string, given: unknown): boolean {
  if (given === undefined || typeof given === 'boolean') return given === true;
  throw refuse(`settings.${name} must be true or false`);
}

function checkPlans(given: unknown, engine: EngineKind): boolean {
  const shows = checkFlag('plans', given);
  if (shows && engine !== 'postgres')
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: 'show plans' });
  return shows;
}

/** `name`, or `schema.name`. */
const FUNCTION_NAME = /^[^.\0]{1,63}(?:\.[^\0]{1,63})?$/u;

function checkPreRequest(given: unknown, engine: EngineKind): Pick<ProjectSettings, 'preRequest'> {
  if (given === undefined) return {};
  if (typeof given !== 'string' || !FUNCTION_NAME.test(given))
    throw refuse('settings.preRequest must be the name of a function');
  if (engine !== 'postgres')
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: 'run a function before a request' });
  return { preRequest: given };
}

function checkAccess(given: unknown, engine: EngineKind): AccessMode {
  const access = given === undefined ? 'grants' : ACCESS_MODES.find((mode) => mode === given);
  if (access === undefined) throw refuse(`settings.access must be ${ACCESS_MODES.join(' or ')}`);
  if (access === 'policies' && engine !== 'postgres')
    throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: 'decide access by row level security' });
  return access;
}
