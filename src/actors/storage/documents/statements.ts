import { type Document, ObjectId, serialize } from 'bson';
import {
  deleteDocument,
  insertDocument,
  replaceDocument,
  type Stored,
  type WriteTarget,
} from './collection.ts';
import {
  type CommandContext,
  collectionOf,
  document,
  documents,
  requireSimpleCollation,
  type WriteView,
} from './command.ts';
import { DocumentError } from './document-error.ts';
import { requireHint } from './hints.ts';
import { placesOf, storedAt } from './places.ts';
import { type Change, isReplacement, readChange, requireSameId, upserted } from './update.ts';
import { bound, boundFilter, variablesOf } from './variables.ts';
import { readDocument } from './wire.ts';

export const encode = (value: Document): Buffer => Buffer.from(serialize(value, { ignoreUndefined: true }));

/** Where the statements of one command write. */
export interface Writing {
  readonly context: CommandContext;
  readonly view: WriteView;
  readonly collection: string;
}

const targetOf = ({ view, collection }: Writing): WriteTarget =>
  view.database.target(view.holder, collectionOf(view, collection));

/** A document as it is stored: with an `_id`, which stands first. */
function forStorage(
  value: Document,
  bytes: Buffer | null,
): { readonly value: Document; readonly bytes: Buffer } {
  const [first] = Object.keys(value);
  if (first === '_id' && bytes !== null) return { value, bytes };
  const { _id: id, ...others } = value;
  const made = { _id: id === undefined ? new ObjectId() : id, ...others };
  return { value: made, bytes: encode(made) };
}

/** Runs each statement; the first failure ends an ordered list, and is one of the reply's `writeErrors`. */
export async function eachStatement(
  context: CommandContext,
  count: number,
  run: (index: number) => Promise<void> | void,
): Promise<readonly Document[]> {
  const ordered = context.body['ordered'] !== false;
  const errors: Document[] = [];
  for (let index = 0; index < count; index += 1) {
    try {
      await run(index);
    } catch (error) {
      if (!(error instanceof DocumentError) || ENDING.has(error.codeName)) throw error;
      // A transaction in which something failed is over, as MongoDB's are.
      context.transaction?.fail();
      errors.push(error.writeError(index));
      if (ordered) break;
    }
    if (index + 1 < count) await context.operation.breathe();
  }
  return errors;
}

/** What ends the whole command, and not one statement of it. */
const ENDING: ReadonlySet<string> = new Set([
  'Interrupted',
  'MaxTimeMSExpired',
  'LockTimeout',
  'InternalError',
]);

/** @param bytes the document's own, where they came with it. Gives its `_id`. */
export function insertStatement(writing: Writing, value: Document, bytes: Buffer | null): void {
  const stored = forStorage(value, bytes);
  insertDocument(targetOf(writing), stored.bytes, stored.value);
}

/** Applies a change to one document; whether it became another. */
export function changeOne(
  target: WriteTarget,
  stored: Stored,
  change: Change,
): { readonly changed: boolean; readonly after: Buffer } {
  const before = readDocument(stored.bytes);
  const after = change(readDocument(stored.bytes), false);
  requireSameId(before, after);
  const bytes = encode(after);
  if (bytes.equals(stored.bytes) || bytes.equals(encode(before)))
    return { changed: false, after: stored.bytes };
  replaceDocument(target, stored, before, bytes, after);
  return { changed: true, after: bytes };
}

export interface Updated {
  readonly matched: number;
  readonly modified: number;
  readonly upsertedId?: unknown;
}

/** A pipeline with the command's variables, and the statement's own constants, in it. */
export const boundChange = (change: unknown, variables: Document, constants: unknown): unknown =>
  Array.isArray(change) ? bound(change, { ...variables, ...document(constants, 'c') }) : change;

/** A statement of `update`, or of `bulkWrite` under the names that it has there. */
export async function updateStatement(writing: Writing, statement: Document): Promise<Updated> {
  const { context, view } = writing;
  requireSimpleCollation(statement['collation']);
  const variables = variablesOf(context.body['let']);
  const filter = boundFilter(document(statement['q'], 'q'), variables);
  const multi = statement['multi'] === true;
  const sort = document(statement['sort'], 'sort');
  if (multi && Object.keys(sort).length > 0)
    throw new DocumentError('FailedToParse', 'Cannot specify sort with multi=true');
  const arrayFilters =
    statement['arrayFilters'] === undefined ? [] : documents(statement['arrayFilters'], 'arrayFilters');
  const change = readChange(boundChange(statement['u'], variables, statement['c']), filter, {
    arrayFilters,
    multi,
  });
  requireHint(view.database.catalog.find(writing.collection), statement['hint']);
  const target = targetOf(writing);
  const most = multi ? Number.POSITIVE_INFINITY : 1;
  const places = await placesOf(target, filter, most, context.operation, sort);
  let modified = 0;
  for (const rid of places) {
    if (changeOne(target, storedAt(target, rid), change).changed) modified += 1;
    await context.operation.breathe();
  }
  if (places.length > 0 || statement['upsert'] !== true) return { matched: places.length, modified };
  const made = upserted(filter, change, isReplacement(statement['u']));
  insertDocument(target, encode(made), made);
  return { matched: 1, modified: 0, upsertedId: made['_id'] };
}

/** A statement of `delete`; how many documents it deleted. */
export async function deleteStatement(
  { context, view, collection: name }: Writing,
  statement: Document,
  most: number,
): Promise<number> {
  requireSimpleCollation(statement['collation']);
  const filter = boundFilter(document(statement['q'], 'q'), variablesOf(context.body['let']));
  const collection = view.database.catalog.find(name);
  requireHint(collection, statement['hint']);
  if (collection === null) return 0;
  const target = view.database.target(view.holder, collection);
  const places = await placesOf(target, filter, most, context.operation);
  for (const rid of places) {
    deleteDocument(target, { rid, bytes: Buffer.alloc(0) });
    await context.operation.breathe();
  }
  return places.length;
}
