import type { Document } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { type Command, type CommandContext, documents, type Reply, text, writing } from './command.ts';
import { bulkWrite } from './command-bulk-write.ts';
import { findAndModify } from './command-find-and-modify.ts';
import { badValue } from './document-error.ts';
import { deleteStatement, eachStatement, insertStatement, updateStatement } from './statements.ts';
import { readDocument } from './wire.ts';

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

const withErrors = (reply: Document, errors: readonly Document[]): Document =>
  errors.length === 0 ? { ...reply, ok: 1 } : { ...reply, writeErrors: errors, ok: 1 };

function insert(context: CommandContext): Promise<Reply> {
  const collection = text(context.body['insert'], 'insert');
  const values = statements(context, 'documents');
  const sequence = context.request.sequences.get('documents');
  return writing(context, async (view) => {
    let n = 0;
    const errors = await eachStatement(context, values.length, (index) => {
      insertStatement({ context, view, collection }, values[index] ?? {}, sequence?.[index] ?? null);
      n += 1;
    });
    return withErrors({ n }, errors);
  });
}

function update(context: CommandContext): Promise<Reply> {
  const collection = text(context.body['update'], 'update');
  const updates = statements(context, 'updates');
  return writing(context, async (view) => {
    let n = 0;
    let nModified = 0;
    const made: Document[] = [];
    const errors = await eachStatement(context, updates.length, async (index) => {
      const done = await updateStatement({ context, view, collection }, updates[index] ?? {});
      n += done.matched;
      nModified += done.modified;
      if ('upsertedId' in done) made.push({ index, _id: done.upsertedId });
    });
    return withErrors(made.length === 0 ? { n, nModified } : { n, nModified, upserted: made }, errors);
  });
}

function remove(context: CommandContext): Promise<Reply> {
  const collection = text(context.body['delete'], 'delete');
  const deletes = statements(context, 'deletes');
  return writing(context, async (view) => {
    let n = 0;
    const errors = await eachStatement(context, deletes.length, async (index) => {
      const statement = deletes[index] ?? {};
      const { limit } = statement;
      if (limit !== 0 && limit !== 1) throw badValue('The limit field in delete objects must be 0 or 1');
      const most = limit === 1 ? 1 : Number.POSITIVE_INFINITY;
      n += await deleteStatement({ context, view, collection }, statement, most);
    });
    return withErrors({ n }, errors);
  });
}

export const WRITE_COMMANDS: Readonly<Record<string, Command>> = {
  insert: { run: insert, for: 'writer', inTransaction: true },
  update: { run: update, for: 'writer', inTransaction: true },
  delete: { run: remove, for: 'writer', inTransaction: true },
  findAndModify: { run: findAndModify, for: 'writer', inTransaction: true },
  findandmodify: { run: findAndModify, for: 'writer', inTransaction: true },
  // Names the databases that it writes to itself, and asks for each whether it may.
  bulkWrite: { run: bulkWrite, for: 'user', inTransaction: true },
};
