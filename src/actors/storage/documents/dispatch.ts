import type { Document } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { sleep } from '../../../runtime/host.ts';
import { isPlainDocument } from './bson-value.ts';
import {
  bigint,
  type Command,
  type CommandContext,
  ownerOf,
  type Reply,
  type ServerParts,
  type Session,
  sessionKey,
} from './command.ts';
import { READ_COMMANDS } from './commands-read.ts';
import { SCHEMA_COMMANDS } from './commands-schema.ts';
import { SESSION_COMMANDS } from './commands-session.ts';
import { WRITE_COMMANDS } from './commands-write.ts';
import { requireConcerns } from './concerns.ts';
import { DocumentError } from './document-error.ts';
import { labelsOf } from './error-labels.ts';
import type { Failure } from './fail-points.ts';
import { Operation } from './operation.ts';
import { noSuchTransaction, type Transaction } from './transactions.ts';
import { mayReach } from './users.ts';
import { extended, WireError, type WireRequest } from './wire.ts';

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({ ...READ_COMMANDS, ...WRITE_COMMANDS, ...SCHEMA_COMMANDS, ...SESSION_COMMANDS }),
);

function authorise(
  command: Command,
  session: Session,
  { database, name, body }: { readonly database: string; readonly name: string; readonly body: Document },
): void {
  if (command.for === 'anyone') return;
  const { user } = session;
  const own = user?.database === database && (command.for === 'database' || command.for === 'writer');
  const allowed =
    user !== null &&
    (user.admin || command.for === 'user' || (own && !(command.for === 'writer' && user.reader)));
  const collection: unknown = body[name];
  if (allowed && (typeof collection !== 'string' || mayReach(user, collection))) return;
  const problem =
    user === null
      ? `Command ${name} requires authentication`
      : `not authorized on ${database} to execute command ${name}`;
  throw new DocumentError('Unauthorized', problem);
}

/** The transaction that a command belongs to, begun where it says so. */
function transactionOf(
  server: ServerParts,
  key: string,
  body: WireRequest['body'],
  name: string,
): Transaction | null {
  if (body['autocommit'] !== false) return null;
  const number = bigint(body['txnNumber']);
  if (key === '' || number === null)
    throw new DocumentError('InvalidOptions', 'a transaction needs a session and a number');
  if (body['startTransaction'] === true) return server.transactions.begin(key, number);
  const found = server.transactions.find(key, number);
  const ends = name === 'commitTransaction' || name === 'abortTransaction';
  if (!ends && found.state === 'committed')
    throw new DocumentError('TransactionCommitted', `Transaction ${number} has been committed`);
  if (!ends && found.state === 'aborted') throw noSuchTransaction(number);
  return found;
}

/** Keeps a connection's last transactions, so that they end with it. */
function follow(session: Session, transaction: Transaction | null): void {
  if (transaction === null) return;
  for (const known of session.transactions) if (known.state !== 'open') session.transactions.delete(known);
  session.transactions.add(transaction);
  transaction.adopt();
}

/** There is one server: a write that wants more of them to have it is done, and says that they do not. */
function concerned(reply: Reply, { body }: CommandContext): Reply {
  const concern: unknown = body['writeConcern'];
  const wanted: unknown = isPlainDocument(concern) ? concern['w'] : undefined;
  if (typeof wanted !== 'number' || wanted <= 1) return reply;
  const errmsg = 'Not enough data-bearing nodes';
  return extended(reply, {
    writeConcernError: { code: 100, codeName: 'UnsatisfiableWriteConcern', errmsg },
  });
}

/** A command that was changed something: sessions that read after it are told of a later time. */
const changes = (command: Command, { name }: CommandContext): boolean =>
  command.for === 'writer' || name === 'commitTransaction';

/** What is to befall this command before it is run: it waits, loses its connection, or has failed. */
async function befallen(
  server: ServerParts,
  session: Session,
  request: WireRequest,
  name: string,
): Promise<Failure | null> {
  const owner = ownerOf(session.user ?? session.login?.user ?? null);
  const failure = server.failPoints?.take(owner, name, request.body) ?? null;
  if (failure === null) return null;
  if (failure.blockMs > 0) await sleep(server.host, failure.blockMs);
  if (failure.closes) throw new WireError('the connection was to be closed');
  return failure;
}

/** A reply after what was to befall it when the command was done. */
function marked(reply: Reply, failure: Failure | null): Reply {
  return failure === null || failure.concern === null ? reply : extended(reply, failure.concern);
}

async function run(command: Command, context: CommandContext): Promise<Reply> {
  const { server, session, operation, name, transaction } = context;
  const { id } = operation;
  server.operations.set(id, { operation, owner: ownerOf(session.user), name });
  try {
    const reply = concerned(await command.run(context), context);
    if (changes(command, context)) server.time.tick();
    return reply;
  } catch (error) {
    if (name !== 'commitTransaction') transaction?.abort();
    throw error;
  } finally {
    server.operations.delete(id);
  }
}

/** Runs one request's command. Rejects with DocumentError, or WireError where the connection must go. */
export async function dispatch(
  server: ServerParts,
  session: Session,
  request: WireRequest,
  operationId: number,
): Promise<Reply> {
  const { body } = request;
  const [name = ''] = Object.keys(body).filter((key) => key !== '$db');
  const command = COMMANDS.get(name);
  if (command === undefined)
    throw new DocumentError('CommandNotFound', `no such command: '${name.slice(0, 60)}'`);
  const database = typeof body['$db'] === 'string' ? body['$db'] : '';
  authorise(command, session, { database, name, body });
  requireConcerns(body, name);
  const failure = await befallen(server, session, request, name);
  if (failure?.error) return failure.error;
  const key = sessionKey(session.user, body['lsid']);
  if (key !== '') server.sessions.touch(key, ownerOf(session.user), body['lsid']);
  const transaction = command.for === 'anyone' ? null : transactionOf(server, key, body, name);
  if (transaction !== null && command.inTransaction !== true) {
    transaction.abort();
    throw new DocumentError(
      'OperationNotSupportedInTransaction',
      `Cannot run '${name}' in a multi-document transaction.`,
    );
  }
  follow(session, transaction);
  const wanted = Number(body['maxTimeMS'] ?? 0);
  const budget = wanted > 0 ? Math.min(wanted, DOCUMENT_LIMITS.commandMs) : DOCUMENT_LIMITS.commandMs;
  const operation = new Operation(operationId, server.host, budget);
  const number = transaction === null && key !== '' ? bigint(body['txnNumber']) : null;
  const context: CommandContext = {
    ...{ server, session, request, body, name, database, operation, transaction },
    ...{ logicalSession: key, retry: number },
  };
  session.running = operation;
  try {
    return marked(await run(command, context), failure);
  } finally {
    session.running = null;
  }
}

/** What a failed command answers; what is not the client's fault says nothing of its cause. */
export function failureReply(
  error: unknown,
  body: WireRequest['body'],
  report: (error: unknown) => void,
): Reply {
  if (error instanceof WireError) throw error;
  if (error instanceof DocumentError) {
    const [name = ''] = Object.keys(body);
    return error.reply(labelsOf(name, body, error.code));
  }
  report(error);
  return new DocumentError('InternalError', 'the server met an unexpected error').reply();
}
