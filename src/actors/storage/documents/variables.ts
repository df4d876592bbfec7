import type { Document } from 'bson';
import { Aggregator } from 'mingo';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { badValue, DocumentError } from './document-error.ts';
import { own } from './field-path.ts';
import { holding } from './held-thread.ts';

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

/** Names that expressions declare for themselves (`$let`, `$map`, `$filter`, `$reduce`), and MongoDB's own. */
const SYSTEM = new Set([
  'ROOT',
  'CURRENT',
  'NOW',
  'REMOVE',
  'DESCEND',
  'PRUNE',
  'KEEP',
  'CLUSTER_TIME',
  'USER_ROLES',
]);

function declared(expression: Document): readonly string[] {
  const names: string[] = [];
  for (const argument of Object.values(expression)) {
    if (!isPlainDocument(argument)) continue;
    const { vars, as, let: own } = argument;
    for (const given of [vars, own]) if (isPlainDocument(given)) names.push(...Object.keys(given));
    if (typeof as === 'string') names.push(as);
  }
  return names;
}

/** Throws for a variable that nobody declared, which would read as nothing. */
export function requireKnownVariables(expression: BsonValue, known: ReadonlySet<string>): void {
  if (typeof expression === 'string') {
    const [, name] = /^\$\$([A-Za-z_]\w*)/.exec(expression) ?? [];
    if (name === undefined || SYSTEM.has(name) || BUILT_IN.has(name) || known.has(name)) return;
    throw new DocumentError('Location17276', `Use of undefined variable: ${name.slice(0, 60)}`);
  }
  if (Array.isArray(expression)) {
    for (const item of expression) requireKnownVariables(item, known);
    return;
  }
  if (!isPlainDocument(expression) || Object.keys(expression).join() === '$literal') return;
  const inside = new Set([...known, ...declared(expression)]);
  for (const item of Object.values(expression)) requireKnownVariables(item, inside);
}

/** The values of a `let`, as expressions look them up. */
export const constants = (variables: Document): Document =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, constant(value)]));

/** Whether a value is an operator's expression, and not a constant. */
const isExpression = (value: BsonValue): boolean => {
  const [name] = isPlainDocument(value) ? Object.keys(value) : [];
  return name?.startsWith('$') === true && name !== '$literal';
};

/** The variables of a command's `let`: each expression worked out once. Throws BadValue and Location17276. */
export function variablesOf(given: BsonValue): Document {
  if (given === undefined || given === null) return {};
  if (!isPlainDocument(given)) throw new DocumentError('TypeMismatch', 'let must be an object');
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      if (!isExpression(value)) return [name, value];
      requireKnownVariables(value, new Set());
      try {
        const aggregator = new Aggregator([{ $replaceWith: { value } }], { scriptEnabled: false });
        const computed = holding(DOCUMENT_LIMITS.heldMs, () => aggregator.run<Document>([{}]));
        return [name, { $literal: computed[0]?.['value'] ?? null }];
      } catch (error) {
        if (error instanceof DocumentError) throw error;
        throw badValue(error instanceof Error ? error.message.slice(0, 300) : 'the value of let failed');
      }
    }),
  );
}

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
