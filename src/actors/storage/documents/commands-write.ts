import { type Document, ObjectId, serialize } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { isPlainDocument } from './bson-value.ts';
import type { CollectionInfo } from './catalog.ts';
import {
  deleteDocument,
  insertDocument,
  replaceDocument,
  type Stored,
  type WriteTarget,
} from './collection.ts';
import {
  type Command,
  type CommandContext,
  collectionOf,
  document,
  documents,
  type Reply,
  requireSimpleCollation,
  text,
  type WriteView,
  writing,
} from './command.ts';
import { badValue, DocumentError } from './document-error.ts';
import { own } from './field-path.ts';
import { placesOf, storedAt } from './places.ts';
import { compileProjection } from './projection.ts';
import { FindResults } from './results.ts';
import { type Change, isReplacement, readChange, requireSameId, upserted } from './update.ts';
import { bound, boundFilter } from './variables.ts';
import { readDocument } from './wire.ts';

const encode = (value: Document): Buffer => Buffer.from(serialize(value, { ignoreUndefined: true }));

/** The statements of a write: from their own section of the message, or from its body. */
function statements({ request, body }: CommandContext, name: string): readonly Document[] {
  const sequence = request.sequences.get(name);
  const found = sequence === undefined ? documents(body[name], name) : sequence.map(readDocument);
  if (found.length === 0 || found.length > DOCUMENT_LIMITS.batch)
    throw badValue(
      `Write batch sizes must be between 1 and ${DOCUMENT_LIMITS.batch}. Got ${found.length} operations.`,
    );
  return found;
}

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
async function each(
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

const withErrors = (reply: Document, errors: readonly Document[]): Document =>
  errors.length === 0 ? { ...reply, ok: 1 } : { ...reply, writeErrors: errors, ok: 1 };

function insert(context: CommandContext): Promise<Reply> {
  const name = text(context.body['insert'], 'insert');
  const values = statements(context, 'documents');
  const sequence = context.request.sequences.get('documents');
  return writing(context, async (view) => {
    const target = view.database.target(view.holder, collectionOf(view, name));
    let n = 0;
    const errors = await each(context, values.length, (index) => {
      const stored = forStorage(values[index] ?? {}, sequence?.[index] ?? null);
      insertDocument(target, stored.bytes, stored.value);
      n += 1;
    });
    return withErrors({ n }, errors);
  });
}

/** Applies a change to one document; whether it became another. */
function changeOne(
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

interface Updated {
  readonly matched: number;
  readonly modified: number;
  readonly upsertedId?: unknown;
}

/** Servers from 8.0 on know it; one that does not must not write to another document than was meant. */
function requireNoSort(statement: Document): void {
  if (statement['sort'] !== undefined)
    throw new DocumentError('FailedToParse', "BSON field 'update.updates.sort' is an unknown field.");
}

/** A pipeline with the command's variables, and the statement's own constants, in it. */
const boundChange = (change: unknown, variables: Document, constants: unknown): unknown =>
  Array.isArray(change) ? bound(change, { ...variables, ...document(constants, 'c') }) : change;

async function updateOne(
  context: CommandContext,
  view: WriteView,
  collection: () => CollectionInfo,
  statement: Document,
): Promise<Updated> {
  requireSimpleCollation(statement['collation']);
  requireNoSort(statement);
  const variables = document(context.body['let'], 'let');
  const filter = boundFilter(document(statement['q'], 'q'), variables);
  const multi = statement['multi'] === true;
  const arrayFilters =
    statement['arrayFilters'] === undefined ? [] : documents(statement['arrayFilters'], 'arrayFilters');
  const change = readChange(boundChange(statement['u'], variables, statement['c']), filter, {
    arrayFilters,
    multi,
  });
  const target = view.database.target(view.holder, collection());
  const places = await placesOf(target, filter, multi ? Number.POSITIVE_INFINITY : 1, context.operation);
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

function update(context: CommandContext): Promise<Reply> {
  const name = text(context.body['update'], 'update');
  const updates = statements(context, 'updates');
  return writing(context, async (view) => {
    let n = 0;
    let nModified = 0;
    const made: Document[] = [];
    const errors = await each(context, updates.length, async (index) => {
      const done = await updateOne(context, view, () => collectionOf(view, name), updates[index] ?? {});
      n += done.matched;
      nModified += done.modified;
      if ('upsertedId' in done) made.push({ index, _id: done.upsertedId });
    });
    return withErrors(made.length === 0 ? { n, nModified } : { n, nModified, upserted: made }, errors);
  });
}

function remove(context: CommandContext): Promise<Reply> {
  const name = text(context.body['delete'], 'delete');
  const deletes = statements(context, 'deletes');
  return writing(context, async (view) => {
    let n = 0;
    const errors = await each(context, deletes.length, async (index) => {
      const { q, limit, collation } = deletes[index] ?? {};
      requireSimpleCollation(collation);
      if (limit !== 0 && limit !== 1) throw badValue('The limit field in delete objects must be 0 or 1');
      const filter = boundFilter(document(q, 'q'), document(context.body['let'], 'let'));
      const collection = view.database.catalog.find(name);
      if (collection === null) return;
      const target = view.database.target(view.holder, collection);
      const most = limit === 1 ? 1 : Number.POSITIVE_INFINITY;
      for (const rid of await placesOf(target, filter, most, context.operation)) {
        deleteDocument(target, { rid, bytes: Buffer.alloc(0) });
        n += 1;
        await context.operation.breathe();
      }
    });
    return withErrors({ n }, errors);
  });
}

/** The first document in the order of the sort, as its bytes. */
async function firstOf(target: WriteTarget, context: CommandContext): Promise<Stored | null> {
  const filter = boundFilter(document(context.body['query'], 'query'), document(context.body['let'], 'let'));
  const given = document(context.body['sort'], 'sort');
  const { collection, file } = target;
  const sort = Object.keys(given).length === 0 ? null : given;
  const results = new FindResults(collection, { filter, sort, skip: 0, limit: 1 }, null, () => file);
  while (!results.done) {
    const [bytes] = await results.next(context.operation, 1, DOCUMENT_LIMITS.bytes);
    if (bytes === undefined) continue;
    const id = own(readDocument(bytes), '_id');
    const [rid] = await placesOf(target, { _id: { $eq: id } }, 1, context.operation);
    return rid === undefined ? null : { rid, bytes };
  }
  return null;
}

function projected(context: CommandContext, bytes: Buffer): Document {
  const { fields, projection } = context.body;
  const projector = compileProjection(document(fields ?? projection, 'fields'));
  const value = readDocument(bytes);
  return projector === null ? value : projector.project(value);
}

async function changeFound(
  context: CommandContext,
  target: WriteTarget,
  found: Stored | null,
): Promise<Document> {
  const { body } = context;
  const variables = document(body['let'], 'let');
  const filter = boundFilter(document(body['query'], 'query'), variables);
  const arrayFilters =
    body['arrayFilters'] === undefined ? [] : documents(body['arrayFilters'], 'arrayFilters');
  const change = readChange(boundChange(body['update'], variables, undefined), filter, {
    arrayFilters,
    multi: false,
  });
  if (found === null) {
    if (body['upsert'] !== true)
      return { lastErrorObject: { n: 0, updatedExisting: false }, value: null, ok: 1 };
    const made = upserted(filter, change, isReplacement(body['update']));
    const bytes = encode(made);
    insertDocument(target, bytes, made);
    const value = body['new'] === true ? projected(context, bytes) : null;
    return { lastErrorObject: { n: 1, updatedExisting: false, upserted: made['_id'] }, value, ok: 1 };
  }
  const { after } = changeOne(target, found, change);
  const value = projected(context, body['new'] === true ? after : found.bytes);
  return { lastErrorObject: { n: 1, updatedExisting: true }, value, ok: 1 };
}

function findAndModify(context: CommandContext): Promise<Reply> {
  const { body } = context;
  const name = text(body['findAndModify'] ?? body['findandmodify'], 'findAndModify');
  requireSimpleCollation(body['collation']);
  const removes = body['remove'] === true;
  if (removes === (isPlainDocument(body['update']) || Array.isArray(body['update'])))
    throw new DocumentError('FailedToParse', 'Either an update or remove=true must be specified');
  return writing(context, async (view) => {
    const target = view.database.target(view.holder, collectionOf(view, name));
    const found = await firstOf(target, context);
    if (!removes) return changeFound(context, target, found);
    if (found !== null) deleteDocument(target, found);
    const value = found === null ? null : projected(context, found.bytes);
    return { lastErrorObject: { n: found === null ? 0 : 1 }, value, ok: 1 };
  });
}

export const WRITE_COMMANDS: Readonly<Record<string, Command>> = {
  insert: { run: insert, for: 'writer', inTransaction: true },
  update: { run: update, for: 'writer', inTransaction: true },
  delete: { run: remove, for: 'writer', inTransaction: true },
  findAndModify: { run: findAndModify, for: 'writer', inTransaction: true },
  findandmodify: { run: findAndModify, for: 'writer', inTransaction: true },
};
