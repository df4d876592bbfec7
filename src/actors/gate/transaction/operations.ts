import { isPublicError, locatedError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { ProjectSettings } from '../../../protocol/project.ts';
import type { CallQuery, Filter, JsonValue, Query } from '../../../protocol/query.ts';
import { planRequest } from '../rest-plan.ts';
import type { OperationBody } from './body.ts';
import { readConditions } from './conditions.ts';
import { isMembers, References } from './references.ts';

/** An operation, understood: its query still holds what stands for its references. */
export interface Operation {
  readonly name: string | null;
  /** `operation 2 (order)`, for the details of its errors. */
  readonly label: string;
  readonly query: Query | CallQuery;
  /** Rows that it must affect, or null. */
  readonly expected: number | null;
}

export interface Operations {
  readonly list: readonly Operation[];
  readonly references: References;
}

const labelOf = (at: number, name: string | undefined): string =>
  name === undefined ? `operation ${at}` : `operation ${at} (${name})`;

const invalid = (problem: string): MagError => new MagError('MAG_BAD_REQUEST', { problem });

/** Says of an error which operation it is of. */
export const failedAt = (label: string, error: unknown): unknown =>
  isPublicError(error) ? locatedError(error, label) : error;

function namesOf(operations: readonly OperationBody[]): ReadonlyMap<string, number> {
  const names = new Map<string, number>();
  for (const [at, { name }] of operations.entries()) {
    if (name === undefined) continue;
    if (names.has(name)) throw invalid(`two operations are named ${name}`);
    names.set(name, at);
  }
  return names;
}

/** The values of one operation with what stands for its references; a new value, the body stays as it is. */
function readValues(values: JsonValue, references: References, at: number): JsonValue {
  if (Array.isArray(values)) return values.map((row: JsonValue) => readValues(row, references, at));
  if (!isMembers(values)) return values; // refused where it is planned
  return Object.fromEntries(
    Object.entries(values).map(([column, value]) => [column, references.read(value, at)]),
  );
}

const WRITES: Readonly<Record<OperationBody['method'], string>> = {
  select: 'GET',
  insert: 'POST',
  upsert: 'POST',
  update: 'PATCH',
  delete: 'DELETE',
  rpc: 'POST',
};

const quotedNames = (names: readonly string[]): string =>
  encodeURIComponent(names.map((name) => `"${name.replace(/["\\]/g, '\\$&')}"`).join(','));

function searchOf({ query = '', columns, onConflict }: OperationBody): string {
  const parts = query === '' ? [] : [query];
  if (columns !== undefined) parts.push(`columns=${quotedNames(columns)}`);
  if (onConflict !== undefined) parts.push(`on_conflict=${quotedNames(onConflict)}`);
  return parts.join('&');
}

function preferences(body: OperationBody, returning: boolean): string {
  const found = returning ? ['return=representation'] : ['return=minimal'];
  if (body.method === 'upsert')
    found.push(`resolution=${body.resolution === 'ignore' ? 'ignore' : 'merge'}-duplicates`);
  if (body.missing !== undefined) found.push(`missing=${body.missing}`);
  return found.join(',');
}

/** A misplaced member is refused: a client that thinks it filtered an insert must be told. */
function checkMembers(body: OperationBody): void {
  const { method } = body;
  const calls = method === 'rpc';
  if (calls ? body.function === undefined : body.table === undefined)
    throw invalid(`${method} needs a ${calls ? 'function' : 'table'}`);
  const writesValues = method === 'insert' || method === 'upsert' || method === 'update';
  if (writesValues && body.values === undefined) throw invalid(`${method} needs values`);
  const inserts = method === 'insert' || method === 'upsert';
  const misplaced =
    (calls && body.table !== undefined && 'table') ||
    (!calls && body.function !== undefined && 'function') ||
    (!calls && body.arguments !== undefined && 'arguments') ||
    (!writesValues && body.values !== undefined && 'values') ||
    (!writesValues && body.columns !== undefined && 'columns') ||
    (inserts && body.where !== undefined && 'where') ||
    (!inserts && body.missing !== undefined && 'missing') ||
    (method !== 'upsert' && body.onConflict !== undefined && 'onConflict') ||
    (method !== 'upsert' && body.resolution !== undefined && 'resolution');
  if (misplaced !== false) throw invalid(`${method} takes no ${misplaced}`);
}

function narrowed(query: Query | CallQuery, terms: readonly Filter[]): Query | CallQuery {
  if (terms.length === 0 || query.kind === 'insert') return query;
  const all = query.where === undefined ? terms : [query.where, ...terms];
  const [first] = all;
  const where: Filter =
    all.length === 1 && first !== undefined ? first : { kind: 'and', terms: all, negated: false };
  return { ...query, where };
}

const asksForRows = (query: string | undefined): boolean =>
  query !== undefined && /(?:^|&)select=/.test(query);

/** Over REST an update that sets nothing does nothing; in a transaction it is a mistake, whatever the engine would do. */
function requireColumns(query: Query | CallQuery): void {
  if (query.kind === 'update' && Object.keys(query.set).length === 0)
    throw new MagError('PGRST102', { problem: 'no column to update' });
}

/** Counts rows over all inserts; throws MAG_BAD_REQUEST beyond LIMITS.insertRows. */
class RowBudget {
  #left = LIMITS.insertRows;

  take(query: Query | CallQuery): void {
    if (query.kind !== 'insert') return;
    this.#left -= query.rows.length;
    if (this.#left < 0) throw invalid(`more than ${LIMITS.insertRows} rows are inserted in all`);
  }
}

/**
 * Plans every operation as the REST request that it stands for, by the same code: what REST refuses is refused here.
 * A write gives its rows back where its query says `select=`, or where a later operation refers to it.
 * `secret`: see References. Throws what planning a REST request throws, and MAG_REFERENCE_INVALID.
 */
export function planOperations(
  bodies: readonly OperationBody[],
  secret: Uint8Array,
  settings: ProjectSettings,
): Operations {
  const references = new References(namesOf(bodies), secret);
  const read = bodies.map((body, at) => {
    const label = labelOf(at, body.name);
    try {
      checkMembers(body);
      const given = body.method === 'rpc' ? (body.arguments ?? {}) : body.values;
      const values = given === undefined ? undefined : readValues(given, references, at);
      const terms = body.where === undefined ? [] : readConditions(body.where, references, at);
      return { body, label, values, terms };
    } catch (error) {
      throw failedAt(label, error);
    }
  });
  const budget = new RowBudget();
  const list = read.map(({ body, label, values, terms }, at): Operation => {
    try {
      const schema =
        body.schema === undefined ? {} : { 'accept-profile': body.schema, 'content-profile': body.schema };
      const returning = asksForRows(body.query) || references.operations.has(at);
      const headers = { ...schema, prefer: preferences(body, returning) };
      const text = values === undefined ? '' : stringifyExact(values);
      const subject = { table: body.function ?? body.table ?? '', call: body.method === 'rpc' };
      const { query } = planRequest(WRITES[body.method], subject, searchOf(body), headers, text, {
        settings,
      });
      requireColumns(query);
      budget.take(query);
      const expected = body.expect?.rows ?? null;
      return { name: body.name ?? null, label, query: narrowed(query, terms), expected };
    } catch (error) {
      throw failedAt(label, error);
    }
  });
  return { list, references };
}
