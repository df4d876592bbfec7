import { Binary, type Document } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { sleep } from '../../../runtime/host.ts';
import {
  bigint,
  type Command,
  type CommandContext,
  document,
  ownerOf,
  type Reply,
  sessionKey,
  text,
} from './command.ts';
import { DocumentError } from './document-error.ts';
import { ScramConversation } from './scram.ts';
import type { User } from './users.ts';

/** The oldest and newest wire versions: those of MongoDB 2.4 and 8.0. */
const WIRE = { minWireVersion: 0, maxWireVersion: 25 };
const MECHANISM = 'SCRAM-SHA-256';
const VERSION = '8.0.0';

function payloadOf(value: unknown): string {
  if (value instanceof Binary) return Buffer.from(value.value()).toString('utf8');
  throw new DocumentError('AuthenticationFailed', 'the SASL payload is no binary');
}

const payload = (value: string): Binary => new Binary(Buffer.from(value, 'utf8'));

/** Begins an authentication; the reply says what the client must prove. */
function saslBegin({ server, session }: CommandContext, start: Document, database: string): Document {
  if (start['mechanism'] !== MECHANISM)
    throw new DocumentError('AuthenticationFailed', `only ${MECHANISM} is offered`);
  const conversation = new ScramConversation(payloadOf(start['payload']));
  // A name that nobody has is told no sooner than a wrong password.
  const user = server.users.find(database, conversation.user) ?? server.users.nobody();
  session.login = { conversation, user };
  const nonce = Buffer.from(server.host.randomBytes(24)).toString('base64');
  const challenge = conversation.challenge(user.verifier, nonce);
  return { conversationId: 1, done: false, payload: payload(challenge), ok: 1 };
}

function saslStart(context: CommandContext): Reply {
  return saslBegin(context, context.body, context.database);
}

function saslContinue({ session, body }: CommandContext): Reply {
  const { login } = session;
  const message = payloadOf(body['payload']);
  // The empty exchange at the end, of drivers that do not skip it.
  if (login === null && session.user !== null && message === '')
    return { conversationId: 1, done: true, payload: payload(''), ok: 1 };
  if (login === null) throw new DocumentError('AuthenticationFailed', 'no authentication has begun');
  session.login = null;
  const proof = login.conversation.finish(message, login.user.verifier);
  const { name, database, admin, reader, guest } = login.user;
  if (name === '') throw new DocumentError('AuthenticationFailed', 'Authentication failed.');
  session.user = { name, database, admin, reader, guest };
  return { conversationId: 1, done: true, payload: payload(proof), ok: 1 };
}

function hello(context: CommandContext): Reply {
  const { server, session, body, name, request } = context;
  const address = server.address();
  session.monitor = true;
  const reply: Document = {
    helloOk: true,
    // As a replica set of one, so that drivers offer sessions and transactions.
    ...(name.toLowerCase() === 'ismaster' ? { ismaster: true } : { isWritablePrimary: true }),
    ...{
      secondary: false,
      setName: 'magmobo',
      setVersion: 1,
      hosts: [address],
      primary: address,
      me: address,
    },
    ...{ maxBsonObjectSize: DOCUMENT_LIMITS.bytes, maxMessageSizeBytes: DOCUMENT_LIMITS.messageBytes },
    ...{ maxWriteBatchSize: DOCUMENT_LIMITS.batch, localTime: new Date(server.host.wallTime()) },
    ...{ logicalSessionTimeoutMinutes: 30, connectionId: session.id, readOnly: false, ...WIRE },
    ok: 1,
  };
  if (typeof body['saslSupportedMechs'] === 'string') reply['saslSupportedMechs'] = [MECHANISM];
  const speculative = document(body['speculativeAuthenticate'], 'speculativeAuthenticate');
  if (!request.legacy || speculative['saslStart'] !== undefined) begun(context, speculative, reply);
  return reply;
}

/** Drivers send the first step of the authentication along. One that cannot begin is begun anew, and told why then. */
function begun(context: CommandContext, speculative: Document, reply: Document): void {
  if (speculative['saslStart'] === undefined || context.session.user !== null) return;
  try {
    reply['speculativeAuthenticate'] = saslBegin(context, speculative, String(speculative['db'] ?? 'admin'));
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
  }
}

const buildInfo = (): Reply => ({
  ...{ version: VERSION, versionArray: [8, 0, 0, 0], gitVersion: 'magmobo', modules: [] },
  ...{ bits: 64, maxBsonObjectSize: DOCUMENT_LIMITS.bytes, storageEngines: ['sqlite'], ok: 1 },
});

function connectionStatus({ session }: CommandContext): Reply {
  const users = session.user === null ? [] : [{ user: session.user.name, db: session.user.database }];
  return { authInfo: { authenticatedUsers: users, authenticatedUserRoles: [] }, ok: 1 };
}

function logout({ session }: CommandContext): Reply {
  session.user = null;
  return { ok: 1 };
}

function commitTransaction({ transaction }: CommandContext): Reply {
  if (transaction === null)
    throw new DocumentError('NoSuchTransaction', 'commitTransaction must be run within a transaction');
  transaction.commit();
  return { ok: 1 };
}

function abortTransaction({ transaction }: CommandContext): Reply {
  if (transaction === null)
    throw new DocumentError('NoSuchTransaction', 'abortTransaction must be run within a transaction');
  if (transaction.state === 'committed')
    throw new DocumentError('TransactionCommitted', `Transaction ${transaction.number} has been committed`);
  transaction.abort();
  return { ok: 1 };
}

function endSessions(context: CommandContext): Reply {
  const { server, session, body, name } = context;
  const ids: unknown = body[name];
  for (const id of Array.isArray(ids) ? ids : []) {
    const key = sessionKey(session.user, id);
    if (key === '') continue;
    server.transactions.end(key);
    server.sessions.end(key);
  }
  return { ok: 1 };
}

const mayTouch = (user: User | null, owner: string): boolean =>
  user?.admin === true || ownerOf(user) === owner;

function killOp({ server, session, body }: CommandContext): Reply {
  const id = Number(bigint(body['op']) ?? -1n);
  const running = server.operations.get(id);
  if (running !== undefined && mayTouch(session.user, running.owner)) running.operation.kill('killOp');
  return { info: 'attempting to kill op', ok: 1 };
}

function currentOp({ server, session, operation }: CommandContext): Reply {
  const inprog = [...server.operations.values()]
    .filter((running) => mayTouch(session.user, running.owner) && running.operation !== operation)
    .map((running) => ({
      opid: running.operation.id,
      op: 'command',
      command: { [running.name]: 1 },
      active: true,
    }));
  return { inprog, ok: 1 };
}

/** Roles that mean something here: whoever has none that writes is a reader. */
function isReader(roles: unknown): boolean {
  const names = (Array.isArray(roles) ? roles : []).map((role: unknown) =>
    typeof role === 'string' ? role : (document(role, 'role')['role'] as unknown),
  );
  return !names.some((name) => name === 'readWrite' || name === 'dbOwner');
}

/** What an administrator may do: make and drop databases and their users. */
function createUser({ server, body, database }: CommandContext): Reply {
  server.users.create(
    database,
    text(body['createUser'], 'createUser'),
    text(body['pwd'], 'pwd'),
    isReader(body['roles']),
  );
  server.databases.open(database);
  return { ok: 1 };
}

function updateUser({ server, body, database }: CommandContext): Reply {
  server.users.update(
    database,
    text(body['updateUser'], 'updateUser'),
    text(body['pwd'], 'pwd'),
    isReader(body['roles']),
  );
  return { ok: 1 };
}

function dropUser({ server, body, database }: CommandContext): Reply {
  const name = text(body['dropUser'], 'dropUser');
  server.users.drop(database, name);
  server.disconnect(`${database}.${name}`);
  return { ok: 1 };
}

function dropAllUsers({ server, database }: CommandContext): Reply {
  const names = server.users.dropAll(database);
  for (const name of names) server.disconnect(`${database}.${name}`);
  return { n: names.length, ok: 1 };
}

function usersInfo({ server, body, database }: CommandContext): Reply {
  const asked: unknown = body['usersInfo'];
  const isAll = typeof asked === 'object' && asked !== null && 'forAllDBs' in asked;
  const users = server.users
    .list(isAll ? null : database)
    .filter((user) => typeof asked !== 'string' || user.name === asked)
    .map((user) => ({ _id: `${user.database}.${user.name}`, user: user.name, db: user.database }));
  return { users, ok: 1 };
}

/** What still runs on it has nobody to answer to: it ends within a slice. */
async function dropDatabase({ server, database, operation }: CommandContext): Promise<Reply> {
  if (!server.databases.exists(database)) return { ok: 1 };
  const opened = server.databases.open(database);
  while (!opened.idle) {
    await sleep(server.host, DOCUMENT_LIMITS.sliceMs);
    operation.check();
  }
  server.databases.drop(database);
  return { dropped: database, ok: 1 };
}

/** Makes commands of the same user fail on purpose, as drivers' specifications and an application's tests want it. */
function configureFailPoint({ server, session, body }: CommandContext): Reply {
  if (server.failPoints === null)
    throw new DocumentError('CommandNotFound', "no such command: 'configureFailPoint'");
  server.failPoints.configure(
    ownerOf(session.user),
    text(body['configureFailPoint'], 'configureFailPoint'),
    body['mode'],
    document(body['data'], 'data'),
  );
  return { ok: 1 };
}

const listDatabases = ({ server }: CommandContext): Reply => ({
  databases: server.databases.names().map((name) => ({ name, sizeOnDisk: 0, empty: false })),
  ok: 1,
});

const ok = (): Reply => ({ ok: 1 });

export const SESSION_COMMANDS: Readonly<Record<string, Command>> = {
  hello: { run: hello, for: 'anyone' },
  isMaster: { run: hello, for: 'anyone' },
  ismaster: { run: hello, for: 'anyone' },
  ping: { run: ok, for: 'anyone' },
  buildInfo: { run: buildInfo, for: 'anyone' },
  buildinfo: { run: buildInfo, for: 'anyone' },
  saslStart: { run: saslStart, for: 'anyone' },
  saslContinue: { run: saslContinue, for: 'anyone' },
  connectionStatus: { run: connectionStatus, for: 'anyone' },
  logout: { run: logout, for: 'user' },
  commitTransaction: { run: commitTransaction, for: 'user', inTransaction: true },
  abortTransaction: { run: abortTransaction, for: 'user', inTransaction: true },
  startSession: { run: ok, for: 'user' },
  refreshSessions: { run: ok, for: 'user' },
  endSessions: { run: endSessions, for: 'user' },
  killSessions: { run: endSessions, for: 'user' },
  configureFailPoint: { run: configureFailPoint, for: 'user' },
  killOp: { run: killOp, for: 'user' },
  currentOp: { run: currentOp, for: 'user' },
  createUser: { run: createUser, for: 'admin' },
  updateUser: { run: updateUser, for: 'admin' },
  dropUser: { run: dropUser, for: 'admin' },
  dropAllUsersFromDatabase: { run: dropAllUsers, for: 'admin' },
  usersInfo: { run: usersInfo, for: 'admin' },
  dropDatabase: { run: dropDatabase, for: 'admin' },
  listDatabases: { run: listDatabases, for: 'admin' },
};
