import type { Document } from 'bson';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { badValue } from './document-error.ts';
import { own } from './field-path.ts';

const VARIABLE = /^\$\$([a-z]\w*)((?:\.\w+)*)$/;
/** mingo's own, within the operators that declare them. */
const BUILT_IN = new Set(['this', 'value', 'root', 'current']);

function valueOfPath(value: BsonValue, path: string): BsonValue {
  return path
    .split('.')
    .filter((step) => step !== '')
    .reduce((at, step) => (isPlainDocument(at) ? own(at, step) : undefined), value);
}

/** A value that is written as `{$literal: …}`, so that its dollars mean nothing. */
const constant = (value: BsonValue): BsonValue =>
  isPlainDocument(value) && Object.keys(value).join() === '$literal' ? value['$literal'] : value;

/** An expression with the values of a command's `let` in the place of their names. */
export function bound(expression: BsonValue, variables: Document): BsonValue {
  if (typeof expression === 'string') {
    const [, name, path = ''] = VARIABLE.exec(expression) ?? [];
    if (name === undefined || BUILT_IN.has(name) || !Object.hasOwn(variables, name)) return expression;
    return { $literal: valueOfPath(constant(variables[name]), path) ?? null };
  }
  if (Array.isArray(expression)) return expression.map((item) => bound(item, variables));
  if (!isPlainDocument(expression)) return expression;
  return Object.fromEntries(Object.entries(expression).map(([key, item]) => [key, bound(item, variables)]));
}

/** A filter whose `$expr`s know the variables of the command. Throws BadValue for what is no constant. */
export function boundFilter(filter: Document, variables: Document): Document {
  if (Object.keys(variables).length === 0) return filter;
  for (const value of Object.values(variables))
    if (typeof value === 'string' && value.startsWith('$'))
      throw badValue('the values of let are constants here');
  const within = (value: BsonValue): BsonValue => {
    if (Array.isArray(value)) return value.map(within);
    if (!isPlainDocument(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        key === '$expr' ? bound(item, variables) : within(item),
      ]),
    );
  };
  return within(filter) as Document; // a document stays one
}
