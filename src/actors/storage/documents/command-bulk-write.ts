import { type Document, serialize } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { BsonValue } from './bson-value.ts';
import { type CommandContext, count, document, documents, type Reply, writing } from './command.ts';
import { badValue, DocumentError } from './document-error.ts';
import { openCursor } from './open-cursor.ts';
import { ListResults } from './results.ts';
import {
  deleteStatement,
  eachStatement,
  insertStatement,
  updateStatement,
  type Writing,
} from './statements.ts';
import { mayReach } from './users.ts';
import { readDocument } from './wire.ts';

/** One operation, and the collection it is for. */
interface Op {
  readonly index: number;
  readonly kind: 'insert' | 'update' | 'delete';
  readonly database: string;
  readonly collection: string;
  readonly body: Document;
}

const KINDS = ['insert', 'update', 'delete'] as const;

interface Counts {
  nInserted: number;
  nMatched: number;
  nModified: number;
  nUpserted: number;
  nDeleted: number;
}

function list({ request, body }: CommandContext, name: string): readonly Document[] {
  return request.sequences.get(name)?.map(readDocument) ?? documents(body[name], name);
}

/** `database.collection`, which this user may write to. */
function namespaceOf({ session }: CommandContext, ns: BsonValue): { database: string; collection: string } {
  if (typeof ns !== 'string' || !ns.includes('.')) throw badValue('nsInfo names no collection');
  const database = ns.slice(0, ns.indexOf('.'));
  const { user } = session;
  const collection = ns.slice(database.length + 1);
  const mayWrite = user?.admin === true || (user?.database === database && !user.reader);
  if (!mayWrite || !mayReach(user, collection))
    throw new DocumentError(
      'Unauthorized',
      `not authorized on ${database.slice(0, 64)} to execute command bulkWrite`,
    );
  return { database, collection };
}

function readOps(context: CommandContext): readonly Op[] {
  const namespaces = list(context, 'nsInfo').map(({ ns }) => namespaceOf(context, ns));
  const ops = list(context, 'ops');
  if (ops.length === 0 || ops.length > DOCUMENT_LIMITS.batch)
    throw badValue(
      `Write batch sizes must be between 1 and ${DOCUMENT_LIMITS.batch}. Got ${ops.length} operations.`,
    );
  return ops.map((body, index) => {
    const [first] = Object.keys(body);
    const kind = KINDS.find((each) => each === first);
    if (kind === undefined)
      throw new DocumentError('FailedToParse', `the operation ${index} is none of bulkWrite`);
    const namespace = namespaces[count(body[kind], kind, 0)];
    if (namespace === undefined) throw badValue(`BulkWrite ops entry ${index} has an invalid nsInfo index.`);
    return { index, kind, body, ...namespace };
  });
}

/** Does one operation. Gives its reply, without its index. */
async function perform(writes: Writing, { kind, body }: Op, counts: Counts): Promise<Document> {
  const { filter, updateMods, constants, hint, collation } = body;
  if (kind === 'insert') {
    insertStatement(writes, document(body['document'], 'document'), null);
    counts.nInserted += 1;
    return { n: 1 };
  }
  const multi = body['multi'] === true;
  if (kind === 'delete') {
    const most = multi ? Number.POSITIVE_INFINITY : 1;
    const n = await deleteStatement(writes, { q: filter, hint, collation }, most);
    counts.nDeleted += n;
    return { n };
  }
  const { matched, modified, ...made } = await updateStatement(writes, {
    ...body,
    ...{ q: filter, u: updateMods, c: constants, multi },
  });
  const isNew = 'upsertedId' in made;
  counts.nMatched += isNew ? 0 : matched;
  counts.nModified += modified;
  counts.nUpserted += isNew ? 1 : 0;
  return { n: matched, nModified: modified, ...(isNew ? { upserted: { _id: made.upsertedId } } : {}) };
}

/** Operations that follow each other in one database: they are one commit. */
function runs(ops: readonly Op[]): readonly (readonly Op[])[] {
  const found: Op[][] = [];
  for (const op of ops) {
    const last = found.at(-1);
    if (last?.[0]?.database === op.database) last.push(op);
    else found.push([op]);
  }
  return found;
}

interface Done {
  readonly counts: Counts;
  readonly results: readonly Document[];
  readonly failed: boolean;
}

/** One run of them; asked for again it is answered and not done twice. */
async function performAll(context: CommandContext, ops: readonly Op[]): Promise<Done> {
  const reply = await writing(context, async (view) => {
    const counts: Counts = { nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
    const results: Document[] = [];
    const errors = await eachStatement(context, ops.length, async (at) => {
      const op = ops[at];
      if (op === undefined) return;
      const { index: idx, collection } = op;
      results.push({ ok: 1, idx, ...(await perform({ context, view, collection }, op, counts)) });
    });
    for (const { index, ...error } of errors)
      results.push({ ok: 0, idx: ops[Number(index)]?.index ?? 0, n: 0, ...error });
    results.sort((a, b) => Number(a['idx']) - Number(b['idx']));
    return { counts, results, failed: errors.length > 0 };
  });
  return reply as unknown as Done; // what the work above gave, now or the first time
}

/** Writes to several collections with one command, as servers from 8.0 on do. */
export async function bulkWrite(context: CommandContext): Promise<Reply> {
  const { body } = context;
  if (context.database !== 'admin')
    throw new DocumentError('Unauthorized', 'bulkWrite may only be run against the admin database.');
  const ordered = body['ordered'] !== false;
  const counts: Counts = { nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
  const results: Document[] = [];
  for (const [at, ops] of runs(readOps(context)).entries()) {
    const database = ops[0]?.database ?? '';
    // A database that comes up again must not take its second part for a repetition of the first.
    const logicalSession = at === 0 ? context.logicalSession : `${context.logicalSession}/${at}`;
    const done = await performAll({ ...context, database, logicalSession }, ops);
    for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] += done.counts[name]; // its own names
    results.push(...done.results);
    if (done.failed && ordered) break;
  }
  const nErrors = results.filter(({ ok }) => ok === 0).length;
  const told = body['errorsOnly'] === true ? results.filter(({ ok }) => ok === 0) : results;
  const rows = new ListResults(told.map((each) => Buffer.from(serialize(each, { ignoreUndefined: true }))));
  const { batchSize } = document(body['cursor'], 'cursor');
  const options = {
    batchSize: count(batchSize, 'batchSize', Number.MAX_SAFE_INTEGER),
    fields: { nErrors, ...counts },
  };
  return openCursor({ ...context, transaction: null }, '$cmd.bulkWrite', rows, options);
}
