import { type Document, Long, serialize } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { planAccess } from './access.ts';
import { keyOf } from './bson-key.ts';
import {
  bigint,
  type Command,
  type CommandContext,
  count,
  document,
  ownerOf,
  type Reply,
  reading,
  requireSimpleCollation,
  text,
  visibleTo,
  writing,
} from './command.ts';
import { badValue, DocumentError } from './document-error.ts';
import { splitPath, valuesAt } from './field-path.ts';
import { holding } from './held-thread.ts';
import { requireHint } from './hints.ts';
import { compileFilter } from './matcher.ts';
import { NO_CURSOR, openCursor } from './open-cursor.ts';
import type { Operation } from './operation.ts';
import { outputOf, writeOutput } from './output.ts';
import { readPipeline, runPipeline, SESSIONS } from './pipeline.ts';
import { compileProjection } from './projection.ts';
import { countMatches, FindResults, ListResults, Matches, type Results } from './results.ts';
import { boundFilter, variablesOf } from './variables.ts';
import { cursorReply, readDocument } from './wire.ts';

const FIRST_BATCH = 101;

/** Options of a find that would change what it means, and that are not here. */
const REFUSED_FIND = ['min', 'max', 'returnKey', 'showRecordId', 'tailable', 'awaitData'] as const;

async function find(context: CommandContext): Promise<Reply> {
  const { body } = context;
  const name = text(body['find'], 'find');
  for (const option of REFUSED_FIND)
    if (body[option] !== undefined && body[option] !== false)
      throw new DocumentError('CommandNotSupported', `the option ${option} of find is not supported`);
  requireSimpleCollation(body['collation']);
  const limit = Number(body['limit'] ?? 0);
  const selection = {
    filter: boundFilter(document(body['filter'], 'filter'), variablesOf(body['let'])),
    sort:
      body['sort'] === undefined || Object.keys(document(body['sort'], 'sort')).length === 0
        ? null
        : document(body['sort'], 'sort'),
    skip: count(body['skip'], 'skip', 0),
    limit: count(Math.abs(limit), 'limit', 0),
  };
  compileFilter(selection.filter); // Refused also where there is nothing to hold it against.
  const projector = compileProjection(document(body['projection'], 'projection'));
  const batchSize = count(body['batchSize'], 'batchSize', FIRST_BATCH);
  return reading(context, name, ({ collection, file }) => {
    requireHint(collection, body['hint']);
    const results =
      collection === null ? new ListResults([]) : new FindResults(collection, selection, projector, file);
    return openCursor(context, name, results, {
      batchSize,
      single: limit < 0 || body['singleBatch'] === true,
    });
  });
}

async function getMore(context: CommandContext): Promise<Reply> {
  const { server, session, body, operation, transaction, database } = context;
  const id = bigint(body['getMore']);
  if (id === null) throw new DocumentError('TypeMismatch', 'getMore needs the id of a cursor');
  const name = text(body['collection'], 'collection');
  const cursor = server.cursors.find(id, ownerOf(session.user));
  if (cursor.namespace !== `${database}.${name}`)
    throw new DocumentError(
      'Unauthorized',
      `Requested getMore on namespace '${database}.${name}', but cursor belongs to a different namespace`,
    );
  if (cursor.transaction !== transaction)
    throw new DocumentError('NoSuchTransaction', 'the cursor belongs to another transaction');
  cursor.busy = true;
  try {
    const size = count(body['batchSize'], 'batchSize', 0);
    const most = size === 0 ? Number.POSITIVE_INFINITY : size;
    const next = (): Promise<readonly Buffer[]> =>
      cursor.results.next(operation, most, DOCUMENT_LIMITS.bytes);
    // What is in memory already needs no database; a bulkWrite's results belong to none.
    const batch = await (cursor.results instanceof ListResults ? next() : reading(context, name, next));
    if (cursor.results.done) server.cursors.close(id, cursor.owner);
    const left = cursor.results.done ? NO_CURSOR : Long.fromBigInt(id);
    return cursorReply('nextBatch', batch, { id: left, ns: cursor.namespace });
  } catch (error) {
    server.cursors.close(id, cursor.owner);
    throw error;
  } finally {
    cursor.busy = false;
  }
}

function killCursors({ server, session, body }: CommandContext): Reply {
  const { cursors: ids } = body;
  if (!Array.isArray(ids)) throw new DocumentError('TypeMismatch', 'cursors must be an array');
  const killed: unknown[] = [];
  const missing: unknown[] = [];
  for (const id of ids) {
    const known = bigint(id);
    (known !== null && server.cursors.close(known, ownerOf(session.user)) ? killed : missing).push(id);
  }
  return { cursorsKilled: killed, cursorsNotFound: missing, cursorsAlive: [], cursorsUnknown: [], ok: 1 };
}

async function countCommand(context: CommandContext): Promise<Reply> {
  const { body, operation } = context;
  const name = text(body['count'], 'count');
  requireSimpleCollation(body['collation']);
  const filter = document(body['query'], 'query');
  compileFilter(filter);
  const skip = count(body['skip'], 'skip', 0);
  const limit = Math.abs(Number(body['limit'] ?? 0));
  return reading(context, name, async ({ collection, file }) => {
    requireHint(collection, body['hint']);
    if (collection === null) return { n: 0, ok: 1 };
    const all = await countMatches(collection, filter, file, operation);
    const after = Math.max(0, all - skip);
    return { n: limit === 0 ? after : Math.min(after, limit), ok: 1 };
  });
}

async function distinct(context: CommandContext): Promise<Reply> {
  const { body, operation } = context;
  const name = text(body['distinct'], 'distinct');
  const path = splitPath(text(body['key'], 'key'));
  requireSimpleCollation(body['collation']);
  const filter = document(body['query'], 'query');
  return reading(context, name, async ({ collection, file }) => {
    const values = new Map<string, unknown>();
    requireHint(collection, body['hint']);
    if (collection === null) return { values: [], ok: 1 };
    const matches = new Matches(collection, filter, planAccess(collection, filter, null), file);
    let bytes = 0;
    while (!matches.done) {
      for (const stored of await matches.next(operation)) {
        const found = valuesAt(readDocument(stored.bytes), path).flat();
        for (const value of found.filter((each) => each !== undefined)) {
          const key = keyOf(value).toString('latin1');
          if (values.has(key)) continue;
          values.set(key, value);
          bytes += key.length;
          if (bytes > DOCUMENT_LIMITS.bytes) throw badValue('distinct too big, 16mb cap');
        }
      }
    }
    const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
    return { values: sorted.map(([, value]) => value), ok: 1 };
  });
}

/** A pipeline whose last stage writes: in one commit with what it reads. */
async function aggregateInto(
  context: CommandContext,
  name: string,
  stages: readonly Document[],
  output: Document,
  variables: Document,
): Promise<Reply> {
  const { session, transaction, database, operation } = context;
  if (session.user?.reader !== false)
    throw new DocumentError('Unauthorized', `not authorized on ${database} to execute command aggregate`);
  if (transaction !== null)
    throw new DocumentError(
      'OperationNotSupportedInTransaction',
      'a pipeline in a transaction may not write',
    );
  await writing(context, async (view) => {
    const { catalog } = view.database;
    const collections = visibleTo(context, catalog.collections);
    const file = () => view.database.writable(view.holder);
    const results = await runPipeline(
      stages,
      { file, collection: catalog.find(name), collections },
      variables,
      operation,
    );
    await writeOutput(context, view, output, await drain(results, operation));
    return { ok: 1 };
  });
  return cursorReply('firstBatch', [], { id: NO_CURSOR, ns: `${database}.${name}` });
}

/** Everything that results give, within what a pipeline may hold. */
async function drain(results: Results, operation: Operation): Promise<readonly Document[]> {
  const all: Document[] = [];
  let bytes = 0;
  while (!results.done) {
    for (const found of await results.next(
      operation,
      DOCUMENT_LIMITS.sliceRows,
      DOCUMENT_LIMITS.sliceBytes,
    )) {
      bytes += found.length;
      if (bytes > DOCUMENT_LIMITS.sortBytes)
        throw new DocumentError(
          'ExceededMemoryLimit',
          `the pipeline needs more than ${DOCUMENT_LIMITS.sortBytes} bytes`,
        );
      all.push(readDocument(found));
    }
  }
  return all;
}

/** A pipeline whose documents come from beside the database, with them in the place of its first stage. */
function sourced({ server, session }: CommandContext, stages: readonly Document[]): readonly Document[] {
  const [first, ...rest] = stages;
  if (first === undefined || !Object.hasOwn(first, SESSIONS)) return stages;
  const { allUsers, ...others } = document(first[SESSIONS], SESSIONS);
  if (Object.keys(others).length > 0)
    throw new DocumentError(
      'CommandNotSupported',
      `only {} and {allUsers: true} are supported by ${SESSIONS}`,
    );
  if (allUsers === true && session.user?.admin !== true)
    throw new DocumentError('Unauthorized', `not authorized to list the sessions of other users`);
  const listed = server.sessions.list(allUsers === true ? null : ownerOf(session.user));
  return [{ $documents: { $literal: listed } }, ...rest];
}

async function aggregate(context: CommandContext): Promise<Reply> {
  const { body } = context;
  const source: unknown = body['aggregate'];
  const name = typeof source === 'string' ? source : '$cmd.aggregate';
  requireSimpleCollation(body['collation']);
  const pipeline = sourced(context, readPipeline(body['pipeline'], typeof source === 'string'));
  const variables = variablesOf(body['let']);
  const { batchSize } = document(body['cursor'], 'cursor');
  const output = outputOf(pipeline);
  if (output !== null) return aggregateInto(context, name, pipeline.slice(0, -1), output, variables);
  return reading(context, name, async (view) => {
    requireHint(view.collection, body['hint']);
    const results = await runPipeline(pipeline, view, variables, context.operation);
    return openCursor(context, name, results, { batchSize: count(batchSize, 'batchSize', FIRST_BATCH) });
  });
}

async function listCollections(context: CommandContext): Promise<Reply> {
  const { body } = context;
  const filter = document(body['filter'], 'filter');
  const { batchSize } = document(body['cursor'], 'cursor');
  return reading(context, '', async ({ collections }) => {
    const matches = compileFilter(filter);
    const all = collections.map(({ name }) => ({
      ...{ name, type: 'collection', options: {}, info: { readOnly: false } },
      idIndex: { v: 2, key: { _id: 1 }, name: '_id_' },
    }));
    const described = holding(DOCUMENT_LIMITS.heldMs, () => all.filter((each) => matches(each))).map(
      (each) => (body['nameOnly'] === true ? { name: each.name, type: each.type } : each),
    );
    const results = new ListResults(described.map((each) => Buffer.from(serialize(each))));
    return openCursor(context, '$cmd.listCollections', results, {
      batchSize: count(batchSize, 'batchSize', Number.MAX_SAFE_INTEGER),
    });
  });
}

async function listIndexes(context: CommandContext): Promise<Reply> {
  const { body, database } = context;
  const name = text(body['listIndexes'], 'listIndexes');
  const { batchSize } = document(body['cursor'], 'cursor');
  return reading(context, name, async ({ collection }) => {
    if (collection === null)
      throw new DocumentError('NamespaceNotFound', `ns does not exist: ${database}.${name}`);
    const described: Document[] = [
      { v: 2, key: { _id: 1 }, name: '_id_' },
      ...collection.indexes.map((index) => ({
        ...{ v: 2, key: index.key, name: index.name },
        ...(index.unique ? { unique: true } : {}),
        ...(index.sparse ? { sparse: true } : {}),
      })),
    ];
    const results = new ListResults(described.map((each) => Buffer.from(serialize(each))));
    return openCursor(context, name, results, {
      batchSize: count(batchSize, 'batchSize', Number.MAX_SAFE_INTEGER),
    });
  });
}

export const READ_COMMANDS: Readonly<Record<string, Command>> = {
  find: { run: find, for: 'database', inTransaction: true },
  // A cursor is its user's alone, whatever database it names.
  getMore: { run: getMore, for: 'user', inTransaction: true },
  killCursors: { run: killCursors, for: 'user', inTransaction: true },
  count: { run: countCommand, for: 'database' },
  distinct: { run: distinct, for: 'database', inTransaction: true },
  aggregate: { run: aggregate, for: 'database', inTransaction: true },
  listCollections: { run: listCollections, for: 'database' },
  listIndexes: { run: listIndexes, for: 'database' },
};
