import type { Document } from 'bson';
import { DatabaseError } from '../../../errors.ts';
import { parseFinite } from '../../../protocol/exact-json.ts';
import type { CompareOperator, Filter, JsonValue } from '../../../protocol/query.ts';
import { type FieldPath, pathOf, unsupported } from './fields.ts';
import { likePattern } from './patterns.ts';
import { meanings, toBson } from './values.ts';

/** Holds for no document, and for every one. */
const NEVER: Document = { _id: { $in: [] } };
const ALWAYS: Document = {};

const join = (kind: '$and' | '$or', terms: readonly Document[]): Document => {
  const [only] = terms;
  return terms.length === 1 && only !== undefined ? only : { [kind]: terms };
};

const NO_ARRAY = { $not: { $type: 'array' } } as const;
const NO_COMPOUND = { $not: { $type: ['array', 'object'] } } as const;

/** The condition on a field, and that nothing on the way to it is an array which MongoDB would look into. */
function at({ path, guards }: FieldPath, condition: Document): Document {
  if (guards.length === 0) return { [path]: condition };
  return { $and: [{ [path]: condition }, ...guards.map(within)] };
}

const within = (guard: FieldPath['guards'][number]): Document => ({
  [guard.path]: guard.array ? { $type: 'array' } : NO_ARRAY,
});

/**
 * Whether a path leads to a value that is not null. Not by comparing it with null: of a place in an array MongoDB looks into
 * the objects there as well, and finds nothing by that name in them.
 */
function thereIs({ path, guards }: FieldPath): Document {
  const found = [{ [path]: { $type: 'array' } }, { [path]: { $exists: true, $not: { $type: 'null' } } }];
  return { $and: [{ $or: found }, ...guards.map(within)] };
}

/** `_id` is never an array, so that its conditions can be answered by its index alone. */
const single = (field: FieldPath, condition: Document): Document =>
  field.path === '_id' ? { _id: condition } : at(field, { ...condition, ...NO_ARRAY });

/** A comparison is unknown for null, for a missing field, and for an array or an object. */
const otherThan = (field: FieldPath, values: readonly unknown[]): Document =>
  at(field, { $nin: [...values, null], ...NO_COMPOUND });

const OPPOSITE = { gt: 'lte', gte: 'lt', lt: 'gte', lte: 'gt' } as const;

/** Only values of one type compare, so each meaning of the text is held against the values of its own. */
const ordered = (field: FieldPath, op: keyof typeof OPPOSITE, text: string): Document =>
  join(
    '$or',
    meanings(text).map((value) => single(field, { [`$${op}`]: value })),
  );

function patterned(field: FieldPath, pattern: string, ignoreCase: boolean, holds: boolean): Document {
  const regex = { $regex: pattern, $options: ignoreCase ? 'iu' : 'u' };
  const isText = { $type: 'string' };
  if (holds) return at(field, { ...regex, ...isText, ...NO_ARRAY });
  return { $and: [at(field, { ...isText, ...NO_ARRAY }), { [field.path]: { $not: regex } }] };
}

/** A pattern that is none would be the server's error, in the server's words: it is refused here, as PostgreSQL does. */
function requirePattern(pattern: string): string {
  try {
    new RegExp(pattern, 'u');
    return pattern;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'malformed';
    throw new DatabaseError('2201B', `invalid regular expression: ${why}`, { cause });
  }
}

function compared(field: FieldPath, op: CompareOperator, text: string, holds: boolean): Document {
  switch (op) {
    case 'eq':
      return holds ? single(field, { $in: meanings(text) }) : otherThan(field, meanings(text));
    case 'neq':
      return compared(field, 'eq', text, !holds);
    case 'isdistinct':
      return holds
        ? { $nor: [single(field, { $in: meanings(text) })] }
        : single(field, { $in: meanings(text) });
    case 'like':
    case 'ilike':
      return patterned(field, likePattern(text), op === 'ilike', holds);
    case 'match':
    case 'imatch':
      return patterned(field, requirePattern(text), op === 'imatch', holds);
    default:
      return ordered(field, holds ? op : OPPOSITE[op], text);
  }
}

/** `{a,"b c"}` as PostgreSQL writes arrays: its elements, null where one is NULL. */
function arrayElements(text: string): readonly (string | null)[] {
  const elements: (string | null)[] = [];
  const inner = text.slice(1, -1);
  const element = /\s*(?:"((?:[^"\\]|\\[\s\S])*)"|([^",{}]*))\s*(,|$)/y;
  if (inner.trim() === '') return elements;
  for (let last = 0; ; last = element.lastIndex) {
    element.lastIndex = last;
    const found = element.exec(inner);
    if (found === null) throw new DatabaseError('22P02', `malformed array literal: "${text.slice(0, 60)}"`);
    const [, quoted, bare = '', end] = found;
    if (quoted !== undefined) elements.push(quoted.replace(/\\([\s\S])/g, '$1'));
    else elements.push(/^null$/i.test(bare.trim()) ? null : bare.trim());
    if (end !== ',') return elements;
  }
}

/** The members that a contained array names, each as what it may stand for. */
function members(text: string): readonly (readonly unknown[])[] {
  const isLiteral = text.startsWith('{') && !isJson(text);
  if (isLiteral) return arrayElements(text).map((element) => (element === null ? [] : meanings(element)));
  const value = jsonOf(text);
  return (Array.isArray(value) ? value : [value]).map((member: JsonValue) => [toBson(member)]);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function jsonOf(text: string): JsonValue {
  try {
    return parseFinite(text);
  } catch (cause) {
    throw new DatabaseError('22P02', `invalid input for contains: "${text.slice(0, 60)}"`, { cause });
  }
}

/** JSON's containment: objects member by member, arrays by their elements, everything else by being equal. */
function containsJson(path: string, value: JsonValue): readonly Document[] {
  if (Array.isArray(value)) {
    const scalars = value.filter((item: JsonValue) => typeof item !== 'object' || item === null);
    if (scalars.length < value.length) throw unsupported('look for objects inside an array with cs');
    return [
      { [path]: { $type: 'array' } },
      ...scalars.map((item: JsonValue) => ({ [path]: { $in: [toBson(item)] } })),
    ];
  }
  if (typeof value === 'object' && value !== null) {
    const inside = Object.entries(value).flatMap(([name, member]) => {
      if (name.includes('.') || name.startsWith('$'))
        throw unsupported(`address a field named "${name.slice(0, 60)}"`);
      return containsJson(`${path}.${name}`, member as JsonValue); // a member of a JSON value
    });
    return [{ [path]: { $type: 'object', ...NO_ARRAY } }, ...inside];
  }
  return [{ [path]: { $in: [toBson(value)], ...NO_ARRAY } }];
}

function contained(field: FieldPath, op: string, text: string): Document {
  const { path } = field;
  const isArray = at(field, { $type: 'array' });
  if (text.startsWith('{') && isJson(text) && op === 'cs' && text.replace(/\s/g, '') !== '{}')
    return join('$and', containsJson(path, jsonOf(text)));
  const wanted = members(text);
  const any = wanted.flat();
  switch (op) {
    case 'cs':
      return join('$and', [isArray, ...wanted.map((values) => ({ [path]: { $in: values } }))]);
    case 'ov':
      return join('$and', [isArray, { [path]: { $in: any } }]);
    case 'cd':
      return join('$and', [isArray, { [path]: { $not: { $elemMatch: { $nin: any } } } }]);
    default:
      throw unsupported('compare ranges');
  }
}

function is(field: FieldPath, value: Extract<Filter, { kind: 'is' }>['value'], holds: boolean): Document {
  const wanted = value === 'true' ? true : value === 'false' ? false : null;
  const positive = value === 'not_null' ? !holds : holds;
  if (wanted === null && field.guards.length > 0)
    return positive ? { $nor: [thereIs(field)] } : thereIs(field);
  const condition = single(field, { $in: [wanted] });
  return positive ? condition : { $nor: [condition] };
}

/** Documents for which the filter is true (or false, where `holds` is): unknown is neither. */
function compile(filter: Filter, wanted: boolean): Document {
  const holds = filter.negated ? !wanted : wanted;
  switch (filter.kind) {
    case 'and':
    case 'or': {
      if (filter.terms.length === 0) return (filter.kind === 'and') === holds ? ALWAYS : NEVER;
      const kind = (filter.kind === 'and') === holds ? '$and' : '$or';
      return join(
        kind,
        filter.terms.map((term) => compile(term, holds)),
      );
    }
    case 'compare':
      return compared(pathOf(filter.column), filter.op, filter.value, holds);
    case 'in': {
      if (filter.values.length === 0) return holds ? NEVER : ALWAYS;
      const field = pathOf(filter.column);
      const values = filter.values.flatMap(meanings);
      return holds ? single(field, { $in: values }) : otherThan(field, values);
    }
    case 'quantified': {
      const field = pathOf(filter.column);
      const kind = (filter.quantifier === 'all') === holds ? '$and' : '$or';
      if (filter.values.length === 0) return (filter.quantifier === 'all') === holds ? ALWAYS : NEVER;
      return join(
        kind,
        filter.values.map((value) => compared(field, filter.op, value, holds)),
      );
    }
    case 'is':
      return is(pathOf(filter.column), filter.value, holds);
    case 'contain': {
      const field = pathOf(filter.column);
      const condition = contained(field, filter.op, filter.value);
      // Unknown for null, as everything is.
      return holds ? condition : { $and: [{ $nor: [condition] }, { [field.path]: { $nin: [null] } }] };
    }
    case 'text_search':
      throw unsupported('search full text');
    default:
      throw unsupported('embed related tables');
  }
}

/** A filter of the grammar as MongoDB's query: it holds exactly where SQL would say true. */
export const compileFilter = (filter: Filter | undefined): Document =>
  filter === undefined ? ALWAYS : compile(filter, true);
