import type { Document } from 'bson';
import { type BsonValue, isPlainDocument } from './bson-value.ts';

const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/** A member that the document itself has: `constructor` is a field like any other. */
export const own = (document: Document, name: string): BsonValue =>
  Object.hasOwn(document, name) ? document[name] : undefined;

/**
 * The values at a dotted path, as a query looks at them: arrays on the way are passed through, each of their documents
 * by itself, and a number names an element too. A document without the field gives one `undefined`.
 */
export function valuesAt(document: Document, path: readonly string[]): readonly BsonValue[] {
  const [first] = path;
  if (path.length === 1 && first !== undefined) return [own(document, first)];
  const values: BsonValue[] = [];
  collect(document, path, 0, values);
  return values;
}

function collect(value: BsonValue, path: readonly string[], at: number, into: BsonValue[]): void {
  const name = path[at];
  if (name === undefined) {
    into.push(value);
    return;
  }
  if (Array.isArray(value)) {
    if (INDEX.test(name) && Number(name) < value.length) collect(value[Number(name)], path, at + 1, into);
    for (const item of value) if (isPlainDocument(item)) collect(item, path, at, into);
    return;
  }
  if (isPlainDocument(value)) collect(own(value, name), path, at + 1, into);
  else into.push(undefined);
}

/** The single value at a path for a sort or an index: elements of arrays one by one, a missing one as null. */
export function keyValues(document: Document, path: readonly string[]): readonly BsonValue[] {
  const found = valuesAt(document, path);
  const values: BsonValue[] = [];
  for (const value of found) {
    if (!Array.isArray(value)) values.push(value ?? null);
    else if (value.length === 0) values.push(undefined);
    else for (const item of value) values.push(item ?? null);
  }
  return values.length === 0 ? [null] : values;
}

export const splitPath = (path: string): readonly string[] => path.split('.');
