import { type Document, Long } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { type CommandContext, ownerOf, type Reply } from './command.ts';
import type { Results } from './results.ts';
import { cursorReply } from './wire.ts';

/** The id of a cursor that is read to its end. */
export const NO_CURSOR = Long.ZERO;

/** Sends the first batch and keeps the rest open. @param options.fields of the reply beside its cursor. */
export async function openCursor(
  context: CommandContext,
  collection: string,
  results: Results,
  options: { readonly batchSize: number; readonly single?: boolean; readonly fields?: Document },
): Promise<Reply> {
  const { server, session, operation, transaction, database } = context;
  const batch =
    options.batchSize === 0 ? [] : await results.next(operation, options.batchSize, DOCUMENT_LIMITS.bytes);
  const namespace = `${database}.${collection}`;
  const over = results.done || options.single === true;
  const id = over
    ? NO_CURSOR
    : server.cursors.add({ namespace, owner: ownerOf(session.user), results, transaction });
  return cursorReply('firstBatch', batch, { id, ns: namespace }, options.fields);
}
