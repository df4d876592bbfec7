import { type Document, ObjectId } from 'bson';
import { Aggregator } from 'mingo';
import { update as mingoUpdate } from 'mingo/updater';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { sameValue } from './bson-key.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { DocumentError } from './document-error.ts';
import { own } from './field-path.ts';
import { holding, mayHold } from './held-thread.ts';

/** What an update does to a document: a function of it and of whether it is being made by an upsert. */
export type Change = (document: Document, inserting: boolean) => Document;

const MODIFIERS = new Set([
  ...['$set', '$unset', '$inc', '$mul', '$min', '$max', '$rename', '$currentDate', '$setOnInsert'],
  ...['$push', '$pull', '$pullAll', '$pop', '$addToSet', '$bit'],
]);

const PIPELINE_STAGES = new Set(['$set', '$addFields', '$unset', '$project', '$replaceRoot', '$replaceWith']);

/** Whether two paths name the same field, or one a part of the other. */
const overlaps = (a: string, b: string): boolean => a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

function requireNoConflict(modifiers: Document): void {
  const paths: string[] = [];
  for (const fields of Object.values(modifiers)) {
    for (const path of Object.keys(fields as Document)) {
      const other = paths.find((known) => overlaps(known, path));
      if (other !== undefined)
        throw new DocumentError(
          'ConflictingUpdateOperators',
          `Updating the path '${path}' would create a conflict at '${other}'`,
        );
      paths.push(path);
    }
  }
}

function readModifiers(modifiers: Document): void {
  for (const [name, fields] of Object.entries(modifiers)) {
    if (!MODIFIERS.has(name))
      throw new DocumentError(
        'FailedToParse',
        `Unknown modifier: ${name.slice(0, 40)}. Expected a valid update modifier`,
      );
    if (!isPlainDocument(fields))
      throw new DocumentError(
        'FailedToParse',
        `Modifiers operate on fields but we found something else for ${name}`,
      );
  }
  requireNoConflict(modifiers);
}

const numberModifiers = ['$inc', '$mul'] as const;

/** mingo would make a text of it, or nothing. */
function requireNumbers(modifiers: Document, document: Document): void {
  for (const name of numberModifiers) {
    for (const [path, by] of Object.entries((modifiers[name] ?? {}) as Document)) {
      if (typeof by !== 'number')
        throw new DocumentError(
          'TypeMismatch',
          `Cannot ${name.slice(1)} with a non-numeric argument: {${path}: …}`,
        );
      const value: BsonValue = path.includes('.') ? 0 : own(document, path);
      if (value !== undefined && typeof value !== 'number')
        throw new DocumentError(
          'TypeMismatch',
          `Cannot apply ${name} to a value of non-numeric type: the field '${path}'`,
        );
    }
  }
}

/** The key is set where the document is made, and may be stated where it is the same; it never changes. */
function withoutKey(modifier: string, fields: Document, document: Document, inserting: boolean): Document {
  if (!Object.hasOwn(fields, '_id')) return fields;
  const { _id: key, ...others } = fields;
  if (modifier !== '$set') throw immutable();
  if (inserting && own(document, '_id') === undefined) document['_id'] = key;
  else requireSameId(document, { _id: key });
  return others;
}

/** One at a time: mingo takes a single operator at a call. */
function applyModifier(
  document: Document,
  modifier: Document,
  arrayFilters: readonly Document[],
  condition: Document,
): void {
  try {
    const change = () => mingoUpdate(document, modifier, [...arrayFilters], condition, { cloneMode: 'deep' });
    if (mayHold([modifier, arrayFilters, condition])) holding(DOCUMENT_LIMITS.heldMs, change);
    else change();
  } catch (cause) {
    if (cause instanceof DocumentError) throw cause;
    throw new DocumentError('FailedToParse', cause instanceof Error ? cause.message : 'the update failed', {
      cause,
    });
  }
}

function byModifiers(modifiers: Document, filter: Document, arrayFilters: readonly Document[]): Change {
  readModifiers(modifiers);
  const { $setOnInsert: onInsert, ...others } = modifiers;
  const positional = Object.values(others).some((fields) =>
    Object.keys(fields as Document).some((path) => /\.\$(?:\.|$)/.test(path)),
  );
  return (document, inserting) => {
    const applied: Document =
      inserting && onInsert !== undefined
        ? { ...others, $set: { ...(others['$set'] as Document | undefined), ...(onInsert as Document) } }
        : others;
    if (Object.keys(applied).length === 0) return document;
    requireNumbers(applied, document);
    for (const [name, fields] of Object.entries(applied)) {
      const others = withoutKey(name, fields as Document, document, inserting); // readModifiers has seen that they are
      if (Object.keys(others).length > 0)
        applyModifier(document, { [name]: others }, arrayFilters, positional ? filter : {});
    }
    return document;
  };
}

function byPipeline(stages: readonly Document[]): Change {
  for (const stage of stages) {
    const [name = ''] = Object.keys(stage);
    if (!PIPELINE_STAGES.has(name) || Object.keys(stage).length !== 1)
      throw new DocumentError(
        'InvalidOptions',
        `${name.slice(0, 40)} is not allowed to be used within an update`,
      );
  }
  return (document) => {
    const id = own(document, '_id');
    const result = throughPipeline(document, stages);
    return Object.hasOwn(result, '_id') || id === undefined ? result : { _id: id, ...result };
  };
}

function throughPipeline(document: Document, stages: readonly Document[]): Document {
  try {
    const aggregator = new Aggregator([...stages], { scriptEnabled: false });
    const [changed] = holding(DOCUMENT_LIMITS.heldMs, () => aggregator.run<Document>([document]));
    return changed ?? {};
  } catch (cause) {
    if (cause instanceof DocumentError) throw cause;
    const why = cause instanceof Error ? cause.message.slice(0, 300) : 'the pipeline failed';
    throw new DocumentError('BadValue', why, { cause });
  }
}

function byReplacement(replacement: Document): Change {
  return (document) => {
    const given = own(replacement, '_id');
    const id = given === undefined ? own(document, '_id') : given;
    const { _id: _, ...others } = replacement;
    return id === undefined ? others : { _id: id, ...others };
  };
}

/** Reads the `u` of an update. Throws FailedToParse, ConflictingUpdateOperators and their like. */
export function readChange(
  value: BsonValue,
  filter: Document,
  options: { readonly arrayFilters: readonly Document[]; readonly multi: boolean },
): Change {
  if (Array.isArray(value)) return byPipeline(value.filter(isPlainDocument));
  if (!isPlainDocument(value))
    throw new DocumentError('FailedToParse', 'Update argument must be either an object or an array');
  const names = Object.keys(value);
  const first = names[0]?.startsWith('$') === true;
  if (names.some((name) => name.startsWith('$') !== first))
    throw new DocumentError('FailedToParse', 'an update is either all modifiers or none');
  if (first) return byModifiers(value, filter, options.arrayFilters);
  if (options.multi)
    throw new DocumentError('FailedToParse', 'multi update is not supported for replacement-style update');
  return byReplacement(value);
}

const immutable = (): DocumentError =>
  new DocumentError(
    'ImmutableField',
    "Performing an update on the path '_id' would modify the immutable field '_id'",
  );

/** Throws ImmutableField where a change touched the key. */
export function requireSameId(before: Document, after: Document): void {
  if (!sameValue(own(before, '_id'), own(after, '_id')) || !Object.hasOwn(after, '_id')) throw immutable();
}

function setPath(document: Document, path: string, value: BsonValue): void {
  const steps = path.split('.');
  let level = document;
  for (const step of steps.slice(0, -1)) {
    const below = own(level, step);
    const next: Document = isPlainDocument(below) ? below : {};
    level[step] = next;
    level = next;
  }
  const last = steps.at(-1);
  if (last !== undefined) level[last] = value;
}

/** Fields that the filter wants equal to a value: an upsert's new document begins with them. */
function equalities(filter: Document, into: Document): void {
  for (const [name, condition] of Object.entries(filter)) {
    if (name === '$and' && Array.isArray(condition)) {
      for (const term of condition) if (isPlainDocument(term)) equalities(term, into);
    } else if (!name.startsWith('$')) {
      const isOperators = isPlainDocument(condition) && Object.keys(condition)[0]?.startsWith('$') === true;
      if (!isOperators) setPath(into, name, condition);
      else if (Object.hasOwn(condition, '$eq')) setPath(into, name, condition['$eq']);
    }
  }
}

/** The document that an upsert makes where nothing matched. */
export function upserted(filter: Document, change: Change, isReplacement: boolean): Document {
  const base: Document = {};
  equalities(filter, base);
  const id = own(base, '_id');
  const start: Document = isReplacement ? (id === undefined ? {} : { _id: id }) : base;
  const made = change(start, true);
  if (id !== undefined) requireSameId({ _id: id }, made);
  const { _id: given, ...others } = made;
  return { _id: given === undefined ? new ObjectId() : given, ...others };
}

export const isReplacement = (value: BsonValue): boolean =>
  isPlainDocument(value) && Object.keys(value)[0]?.startsWith('$') !== true;
