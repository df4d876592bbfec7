import type { Document } from 'bson';
import { Query } from 'mingo';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { compareValues, sameValue } from './bson-key.ts';
import {
  type BsonValue,
  isPlainDocument,
  rankOf,
  TYPE_ALIASES,
  TYPE_NUMBERS,
  typeNamesOf,
} from './bson-value.ts';
import { badValue } from './document-error.ts';
import { splitPath, valuesAt } from './field-path.ts';
import { compilePattern, patternOf } from './pattern.ts';
import { requireKnownVariables } from './variables.ts';

export type Predicate = (document: Document) => boolean;
/** Holds for the values found at a path. */
type Test = (values: readonly BsonValue[]) => boolean;

const NUMBER = rankOf(0);

/** On a value itself, and on each element where it is an array. */
const some =
  (holds: (value: BsonValue) => boolean): Test =>
  (values) =>
    values.some((value) => holds(value) || (Array.isArray(value) && value.some(holds)));

const not =
  (test: Test): Test =>
  (values) =>
    !test(values);

function equalTo(wanted: BsonValue): Test {
  const pattern = patternOf(wanted);
  if (pattern === null) return some((value) => sameValue(value, wanted));
  return some((value) => (typeof value === 'string' ? pattern.test(value) : sameValue(value, wanted)));
}

function inList(operator: string, list: BsonValue): Test {
  if (!Array.isArray(list)) throw badValue(`${operator} needs an array`);
  const primitives = new Set<BsonValue>(
    list.filter((item) => typeof item === 'string' || (typeof item === 'number' && !Number.isNaN(item))),
  );
  const tests = list.filter((item) => !primitives.has(item)).map(equalTo);
  const known = some((value) => primitives.has(value));
  return (values) => known(values) || tests.some((test) => test(values));
}

/** Only values of the wanted one's own type compare. */
function ordered(wanted: BsonValue, holds: (order: number) => boolean): Test {
  const rank = rankOf(wanted);
  const isNumber = rank === NUMBER;
  return some((value) => {
    if (rankOf(value) !== rank) return false;
    if (isNumber && (Number.isNaN(value) || Number.isNaN(wanted))) {
      return Number.isNaN(value) && Number.isNaN(wanted) && holds(0);
    }
    return holds(compareValues(value, wanted));
  });
}

function ofType(types: BsonValue): Test {
  const wanted = new Set(
    (Array.isArray(types) ? types : [types]).map((type) => {
      const name = typeof type === 'number' ? TYPE_NUMBERS[type] : type;
      if (typeof name !== 'string' || !TYPE_ALIASES.has(name))
        throw badValue(`Unknown type name alias: ${String(type).slice(0, 40)}`);
      return name;
    }),
  );
  return some((value) => typeNamesOf(value).some((name) => wanted.has(name)));
}

function withRemainder(argument: BsonValue): Test {
  if (!Array.isArray(argument) || argument.length !== 2) throw badValue('malformed mod, needs two elements');
  const [divisor, remainder] = argument.map(Number);
  if (!Number.isFinite(divisor) || divisor === 0) throw badValue('divisor cannot be 0');
  return some(
    (value) => rankOf(value) === NUMBER && Math.trunc(Number(value)) % Number(divisor) === Number(remainder),
  );
}

function ofSize(size: BsonValue): Test {
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0)
    throw badValue('$size must be a whole number');
  return (values) => values.some((value) => Array.isArray(value) && value.length === size);
}

const startsWithDollar = (value: Document): boolean => {
  const [first] = Object.keys(value);
  return first?.startsWith('$') === true;
};

const LOGICAL = new Set(['$and', '$or', '$nor']);

function elementTest(argument: BsonValue, depth: number): (element: BsonValue) => boolean {
  if (!isPlainDocument(argument)) throw badValue('$elemMatch needs an Object');
  const [first = ''] = Object.keys(argument);
  if (startsWithDollar(argument) && !LOGICAL.has(first)) {
    const test = operators(argument, depth);
    return (element) => test([element]);
  }
  const predicate = compile(argument, depth);
  return (element) => isPlainDocument(element) && predicate(element);
}

function withElement(argument: BsonValue, depth: number): Test {
  const holds = elementTest(argument, depth);
  return (values) => values.some((value) => Array.isArray(value) && value.some(holds));
}

function withAll(argument: BsonValue, depth: number): Test {
  if (!Array.isArray(argument)) throw badValue('$all needs an array');
  const tests = argument.map((item) =>
    isPlainDocument(item) && Object.hasOwn(item, '$elemMatch')
      ? withElement(item['$elemMatch'], depth)
      : equalTo(item),
  );
  return (values) => tests.length > 0 && tests.every((test) => test(values));
}

function matching(argument: BsonValue, options: BsonValue): Test {
  const known = patternOf(argument);
  if (known === null && typeof argument !== 'string') throw badValue('$regex has to be a string');
  const flags = typeof options === 'string' ? options : (known?.flags ?? '');
  const pattern = compilePattern(known?.source ?? String(argument), flags);
  return some((value) => typeof value === 'string' && pattern.test(value));
}

function negated(argument: BsonValue, depth: number): Test {
  const pattern = patternOf(argument);
  if (pattern !== null) return not(equalTo(argument));
  if (!isPlainDocument(argument) || !startsWithDollar(argument))
    throw badValue('$not needs a regex or a document');
  return not(operators(argument, depth));
}

/** One operator on the values of a path. */
function operator(name: string, argument: BsonValue, all: Document, depth: number): Test {
  switch (name) {
    case '$eq':
      return some((value) => sameValue(value, argument));
    case '$ne':
      return not(equalTo(argument));
    case '$gt':
      return ordered(argument, (order) => order > 0);
    case '$gte':
      return ordered(argument, (order) => order >= 0);
    case '$lt':
      return ordered(argument, (order) => order < 0);
    case '$lte':
      return ordered(argument, (order) => order <= 0);
    case '$in':
      return inList(name, argument);
    case '$nin':
      return not(inList(name, argument));
    case '$exists': {
      const exists: Test = (values) => values.some((value) => value !== undefined);
      return argument === false || argument === 0 || argument === null ? not(exists) : exists;
    }
    case '$type':
      return ofType(argument);
    case '$mod':
      return withRemainder(argument);
    case '$size':
      return ofSize(argument);
    case '$all':
      return withAll(argument, depth);
    case '$elemMatch':
      return withElement(argument, depth + 1);
    case '$not':
      return negated(argument, depth + 1);
    case '$regex':
      return matching(argument, all['$options']);
    case '$options':
      if (!Object.hasOwn(all, '$regex')) throw badValue('$options needs a $regex');
      return () => true;
    default:
      throw badValue(`unknown operator: ${name.slice(0, 40)}`);
  }
}

function operators(condition: Document, depth: number): Test {
  if (depth > DOCUMENT_LIMITS.filterDepth) throw badValue('the filter is nested too deep');
  const tests = Object.entries(condition).map(([name, argument]) =>
    operator(name, argument, condition, depth),
  );
  const [only] = tests;
  return tests.length === 1 && only !== undefined ? only : (values) => tests.every((test) => test(values));
}

function logic(name: string, argument: BsonValue, depth: number): Predicate {
  if (!Array.isArray(argument) || argument.length === 0) throw badValue(`${name} must be a nonempty array`);
  const terms = argument.map((term) => {
    if (!isPlainDocument(term)) throw badValue(`${name} argument's entries must be objects`);
    return compile(term, depth + 1);
  });
  if (name === '$and') return (document) => terms.every((term) => term(document));
  if (name === '$or') return (document) => terms.some((term) => term(document));
  return (document) => !terms.some((term) => term(document));
}

/** mingo's own, and what it cannot make sense of is the filter's mistake. */
function expression(argument: BsonValue): Predicate {
  const attempt = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw badValue(error instanceof Error ? error.message.slice(0, 300) : 'the expression failed');
    }
  };
  requireKnownVariables(argument, new Set());
  const query = attempt(() => new Query({ $expr: argument }, { scriptEnabled: false }));
  return (document) => attempt(() => query.test(document));
}

function topLevel(name: string, argument: BsonValue, depth: number): Predicate {
  if (LOGICAL.has(name)) return logic(name, argument, depth);
  if (name === '$comment') return () => true;
  if (name === '$expr') {
    return expression(argument);
  }
  throw badValue(`unknown top level operator: ${name.slice(0, 40)}`);
}

function field(name: string, condition: BsonValue, depth: number): Predicate {
  const path = splitPath(name);
  const test =
    isPlainDocument(condition) && startsWithDollar(condition)
      ? operators(condition, depth)
      : equalTo(condition);
  return (document) => test(valuesAt(document, path));
}

function compile(filter: Document, depth: number): Predicate {
  if (depth > DOCUMENT_LIMITS.filterDepth) throw badValue('the filter is nested too deep');
  const terms = Object.entries(filter).map(([name, condition]) =>
    name.startsWith('$') ? topLevel(name, condition, depth) : field(name, condition, depth),
  );
  const [only] = terms;
  return terms.length === 1 && only !== undefined
    ? only
    : (document) => terms.every((term) => term(document));
}

/** MongoDB's query language as a predicate. Throws BadValue. */
export const compileFilter = (filter: Document): Predicate => compile(filter, 0);
