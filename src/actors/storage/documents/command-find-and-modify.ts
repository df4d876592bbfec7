import type { Document } from 'bson';
import { isPlainDocument } from './bson-value.ts';
import { deleteDocument, insertDocument, type Stored, type WriteTarget } from './collection.ts';
import {
  type CommandContext,
  collectionOf,
  document,
  documents,
  type Reply,
  requireSimpleCollation,
  text,
  writing,
} from './command.ts';
import { DocumentError } from './document-error.ts';
import { requireHint } from './hints.ts';
import { placesOf, storedAt } from './places.ts';
import { compileProjection } from './projection.ts';
import { boundChange, changeOne, encode } from './statements.ts';
import { isReplacement, readChange, upserted } from './update.ts';
import { boundFilter, variablesOf } from './variables.ts';
import { readDocument } from './wire.ts';

/** The first document in the order of the sort, as its bytes. */
async function firstOf(target: WriteTarget, context: CommandContext): Promise<Stored | null> {
  const filter = boundFilter(document(context.body['query'], 'query'), variablesOf(context.body['let']));
  const sort = document(context.body['sort'], 'sort');
  const [rid] = await placesOf(target, filter, 1, context.operation, sort);
  return rid === undefined ? null : storedAt(target, rid);
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
  const variables = variablesOf(body['let']);
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

export function findAndModify(context: CommandContext): Promise<Reply> {
  const { body } = context;
  const name = text(body['findAndModify'] ?? body['findandmodify'], 'findAndModify');
  requireSimpleCollation(body['collation']);
  const removes = body['remove'] === true;
  if (removes && (body['new'] === true || body['upsert'] === true))
    throw new DocumentError('FailedToParse', 'Cannot specify both new or upsert, and remove=true');
  if (removes === (isPlainDocument(body['update']) || Array.isArray(body['update'])))
    throw new DocumentError('FailedToParse', 'Either an update or remove=true must be specified');
  return writing(context, async (view) => {
    requireHint(view.database.catalog.find(name), body['hint']);
    const target = view.database.target(view.holder, collectionOf(view, name));
    const found = await firstOf(target, context);
    if (!removes) return changeFound(context, target, found);
    if (found !== null) deleteDocument(target, found);
    const value = found === null ? null : projected(context, found.bytes);
    return { lastErrorObject: { n: found === null ? 0 : 1 }, value, ok: 1 };
  });
}
