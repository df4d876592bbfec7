import { type Document, ObjectId, serialize } from 'bson';
import { isPlainDocument } from './bson-value.ts';
import { deleteDocument, insertDocument, replaceDocument, type WriteTarget } from './collection.ts';
import { type CommandContext, collectionOf, document, type WriteView } from './command.ts';
import { badValue, DocumentError } from './document-error.ts';
import { valuesAt } from './field-path.ts';
import { placesOf, storedAt } from './places.ts';
import { mayReach } from './users.ts';
import { readDocument } from './wire.ts';

const OUTPUTS = new Set(['$out', '$merge']);

/** The last stage of a pipeline where it writes, or null. */
export function outputOf(stages: readonly Document[]): Document | null {
  const last = stages.at(-1);
  return last !== undefined && OUTPUTS.has(Object.keys(last)[0] ?? '') ? last : null;
}

/** Name of the collection that a stage writes to. Another database is nobody's business here. */
function targetName(value: unknown, database: string): string {
  if (typeof value === 'string') return value;
  const { db, coll } = document(value, 'the target of the stage');
  if (db !== undefined && db !== database)
    throw new DocumentError(
      'Unauthorized',
      `not authorized on ${String(db).slice(0, 64)} to execute command aggregate`,
    );
  if (typeof coll !== 'string') throw badValue('the target of the stage names no collection');
  return coll;
}

const encode = (value: Document): Buffer => Buffer.from(serialize(value, { ignoreUndefined: true }));

function add(target: WriteTarget, value: Document): void {
  const { _id: id, ...others } = value;
  const made = { _id: id === undefined ? new ObjectId() : id, ...others };
  insertDocument(target, encode(made), made);
}

async function replaceAll(
  context: CommandContext,
  target: WriteTarget,
  values: readonly Document[],
): Promise<void> {
  for (const rid of await placesOf(target, {}, Number.POSITIVE_INFINITY, context.operation))
    deleteDocument(target, { rid, bytes: Buffer.alloc(0) });
  for (const value of values) {
    add(target, value);
    await context.operation.breathe();
  }
}

interface Merge {
  readonly on: readonly string[];
  readonly whenMatched: string;
  readonly whenNotMatched: string;
}

function readMerge(stage: Document, target: WriteTarget): Merge {
  const { on = '_id', whenMatched = 'merge', whenNotMatched = 'insert' } = stage;
  const fields: unknown[] = Array.isArray(on) ? on : [on];
  if (!['merge', 'replace', 'keepExisting', 'fail'].includes(whenMatched as string))
    throw badValue('whenMatched must be merge, replace, keepExisting or fail');
  if (!['insert', 'discard', 'fail'].includes(whenNotMatched as string))
    throw badValue('whenNotMatched must be insert, discard or fail');
  const wanted = fields.map(String).sort().join();
  const isUnique = target.collection.indexes.some(
    (index) =>
      index.unique &&
      index.fields
        .map(({ name }) => name)
        .sort()
        .join() === wanted,
  );
  if (wanted !== '_id' && !isUnique)
    throw badValue('Cannot find index to verify that join fields will be unique');
  return { on: fields.map(String), whenMatched: String(whenMatched), whenNotMatched: String(whenNotMatched) };
}

async function mergeOne(
  context: CommandContext,
  target: WriteTarget,
  value: Document,
  { on, whenMatched, whenNotMatched }: Merge,
): Promise<void> {
  const filter = Object.fromEntries(
    on.map((field) => [field, { $eq: valuesAt(value, field.split('.'))[0] ?? null }]),
  );
  const [rid] =
    value['_id'] === undefined && on.includes('_id')
      ? []
      : await placesOf(target, filter, 1, context.operation);
  if (rid === undefined) {
    if (whenNotMatched === 'insert') add(target, value);
    else if (whenNotMatched === 'fail')
      throw badValue('$merge could not find a matching document in the target collection');
    return;
  }
  if (whenMatched === 'keepExisting') return;
  if (whenMatched === 'fail') {
    add(target, value);
    return;
  }
  const stored = storedAt(target, rid);
  const before = readDocument(stored.bytes);
  const key = { _id: before['_id'] };
  const after = whenMatched === 'merge' ? { ...before, ...value, ...key } : { ...key, ...value, ...key };
  replaceDocument(target, stored, before, encode(after), after);
}

/** Writes what a pipeline gave to where its last stage says. All of it, or nothing. */
export async function writeOutput(
  context: CommandContext,
  view: WriteView,
  stage: Document,
  values: readonly Document[],
): Promise<void> {
  const isOut = Object.hasOwn(stage, '$out');
  const argument: unknown = isOut ? stage['$out'] : stage['$merge'];
  const into = isOut || !isPlainDocument(argument) ? argument : argument['into'];
  const name = targetName(into, context.database);
  if (!mayReach(context.session.user, name))
    throw new DocumentError(
      'Unauthorized',
      `not authorized on ${context.database} to execute command aggregate`,
    );
  const target = view.database.target(view.holder, collectionOf(view, name));
  if (isOut) {
    await replaceAll(context, target, values);
    return;
  }
  const merge = readMerge(isPlainDocument(argument) ? argument : {}, target);
  for (const value of values) {
    await mergeOne(context, target, value, merge);
    await context.operation.breathe();
  }
}
