import { type Binary, type Document, Long, serialize } from 'bson';
import type { Host } from '../../../runtime/host.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import type { CollectionInfo } from './catalog.ts';
import type { ClusterTime } from './cluster-time.ts';
import type { Cursors } from './cursors.ts';
import type { Databases } from './databases.ts';
import type { DocumentDatabase, Holder } from './document-database.ts';
import { badValue, DocumentError } from './document-error.ts';
import type { FailPoints } from './fail-points.ts';
import type { Operation } from './operation.ts';
import type { ReadFile } from './results.ts';
import type { ScramConversation } from './scram.ts';
import type { Sessions } from './sessions.ts';
import { blob } from './sqlite-file.ts';
import type { Transaction, Transactions } from './transactions.ts';
import { type KnownUser, mayReach, type User, type Users } from './users.ts';
import { readDocument, WireError, type WireRequest } from './wire.ts';

/** A client's connection, as its commands see it. */
export interface Session {
  readonly id: number;
  user: User | null;
  /** An authentication that has begun, with whom it is for. */
  login: { readonly conversation: ScramConversation; readonly user: KnownUser } | null;
  /** It has asked hello, and nothing else: a driver's monitor. */
  monitor: boolean;
  /** The command that runs: one at a time on a connection. */
  running: Operation | null;
  /** Transactions that this connection was the last to use. */
  readonly transactions: Set<Transaction>;
}

/** What every command may use. */
export interface ServerParts {
  readonly host: Host;
  readonly databases: Databases;
  readonly users: Users;
  readonly transactions: Transactions;
  readonly sessions: Sessions;
  readonly cursors: Cursors;
  readonly time: ClusterTime;
  /** Null where nobody may make commands fail on purpose. */
  readonly failPoints: FailPoints | null;
  /** Commands that run, by their number. */
  readonly operations: Map<
    number,
    { readonly operation: Operation; readonly owner: string; readonly name: string }
  >;
  /** Ends the connections of a user that is no more. */
  readonly disconnect: (owner: string) => void;
  /** `127.0.0.1:27017`. */
  readonly address: () => string;
}

export interface CommandContext {
  readonly server: ServerParts;
  readonly session: Session;
  readonly request: WireRequest;
  readonly body: Document;
  /** The command's name as it came. */
  readonly name: string;
  readonly database: string;
  readonly operation: Operation;
  /** Key of the logical session, empty where there is none. */
  readonly logicalSession: string;
  readonly transaction: Transaction | null;
  /** Number of a write that the client may send again, or null. */
  readonly retry: bigint | null;
}

export type Reply = Document | Buffer;

export interface Command {
  readonly run: (context: CommandContext) => Reply | Promise<Reply>;
  /**
   * `anyone`: before authentication too. `database`: a user of the database it names; `writer`: one that may change it.
   * The administrator may run them all.
   */
  readonly for: 'anyone' | 'user' | 'database' | 'writer' | 'admin';
  readonly inTransaction?: true;
}

export const ownerOf = (user: User | null): string => (user === null ? '' : `${user.database}.${user.name}`);

export function text(value: BsonValue, what: string): string {
  if (typeof value !== 'string') throw new DocumentError('TypeMismatch', `${what} must be a string`);
  return value;
}

/** A document argument; absent it is empty. */
export function document(value: BsonValue, what: string): Document {
  if (value === undefined || value === null) return {};
  if (!isPlainDocument(value)) throw new DocumentError('TypeMismatch', `${what} must be an object`);
  return value;
}

export function documents(value: BsonValue, what: string): readonly Document[] {
  if (!Array.isArray(value) || !value.every(isPlainDocument))
    throw new DocumentError('TypeMismatch', `${what} must be an array of objects`);
  return value;
}

/** A count that must not be negative; absent it is `fallback`. */
export function count(value: BsonValue, what: string, fallback: number): number {
  if (value === undefined || value === null) return fallback;
  const number = Number(value instanceof Long ? value.toNumber() : value);
  if (!Number.isSafeInteger(number) || number < 0)
    throw badValue(`${what} must be a whole number, 0 or more`);
  return number;
}

export function bigint(value: BsonValue): bigint | null {
  if (value instanceof Long) return value.toBigInt();
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : null;
}

/** The key of an `lsid`, within its user; empty where there is none. */
export function sessionKey(user: User | null, lsid: BsonValue): string {
  if (!isPlainDocument(lsid)) return '';
  const id = lsid['id'] as Binary | undefined; // checked below: anything else has no buffer
  return ArrayBuffer.isView(id?.buffer) ? `${ownerOf(user)}/${Buffer.from(id.value()).toString('hex')}` : '';
}

/** What the collation of strings is here: by code points. Another one is refused, not ignored. */
export function requireSimpleCollation(value: BsonValue): void {
  if (value === undefined || value === null) return;
  const { locale } = document(value, 'collation');
  if (locale !== 'simple')
    throw new DocumentError('CommandNotSupported', 'only the simple collation is supported');
}

/** A database while a command uses it, or null where there is none of that name yet. */
async function using<Result>(
  { server, database }: CommandContext,
  create: boolean,
  work: (opened: DocumentDatabase | null) => Promise<Result>,
): Promise<Result> {
  if (!create && !server.databases.exists(database)) return work(null);
  const opened = server.databases.open(database);
  opened.uses += 1;
  try {
    return await work(opened);
  } finally {
    opened.uses -= 1;
  }
}

export interface ReadView {
  readonly file: ReadFile;
  /** Null where it does not exist. */
  readonly collection: CollectionInfo | null;
  readonly collections: readonly CollectionInfo[];
}

/** The collections that stages of a pipeline may name. */
export const visibleTo = (
  { session }: CommandContext,
  collections: ReadonlyMap<string, CollectionInfo>,
): readonly CollectionInfo[] => [...collections.values()].filter(({ name }) => mayReach(session.user, name));

/** Runs a read: in its transaction, or on what is committed. */
export function reading<Result>(
  context: CommandContext,
  collection: string,
  work: (view: ReadView) => Promise<Result>,
): Promise<Result> {
  return using(context, context.transaction !== null, async (database) => {
    if (database === null) {
      const file = (): never => {
        throw new Error('there is no database to read');
      };
      return work({ file, collection: null, collections: [] });
    }
    const { transaction, operation } = context;
    if (transaction !== null) await transaction.enter(database, operation, 'read');
    try {
      const file: ReadFile = () => transaction?.snapshot?.file ?? database.readable(transaction);
      const collections = transaction?.snapshot?.collections ?? database.visible(transaction);
      const found = collections.get(collection) ?? null;
      return await work({ file, collection: found, collections: visibleTo(context, collections) });
    } finally {
      transaction?.leave();
    }
  });
}

/** Where a write command works: it holds the database. */
export interface WriteView {
  readonly database: DocumentDatabase;
  readonly holder: Holder;
}

/** A write that was done already, or null. Throws TransactionTooOld. */
function remembered({ database, holder }: WriteView, session: string, number: bigint): Reply | null {
  const row = database
    .writable(holder)
    .get('SELECT number, reply FROM _retries WHERE session = ?', Buffer.from(session));
  if (row === undefined) return null;
  const last = BigInt(Number(row[0]));
  if (last > number)
    throw new DocumentError('TransactionTooOld', `Retryable write ${number} is older than ${last}`);
  return last === number ? readDocument(blob(row[1])) : null;
}

/** In the same commit as the write itself: asked for again after a crash, it is answered and not done twice. */
function remember(view: WriteView, context: CommandContext, number: bigint, reply: Document): void {
  const { logicalSession, server } = context;
  view.database
    .writable(view.holder)
    .run(
      'INSERT OR REPLACE INTO _retries (session, number, reply, at) VALUES (?, ?, ?, ?)',
      ...[Buffer.from(logicalSession), Number(number), serialize(reply), Math.round(server.host.wallTime())],
    );
}

async function alone(
  context: CommandContext,
  database: DocumentDatabase,
  work: (view: WriteView) => Promise<Document>,
): Promise<Reply> {
  const { operation, retry, logicalSession } = context;
  const holder: Holder = { what: `the command ${context.name}` };
  const view = { database, holder };
  await database.acquire(holder, operation);
  try {
    const done = retry === null ? null : remembered(view, logicalSession, retry);
    const cut = done === null && retry !== null ? cutOff(context) : null;
    if (cut === 'before') throw new WireError('the connection was to be closed before the commit');
    const reply = done ?? (await work(view));
    if (done === null && retry !== null) remember(view, context, retry, reply);
    database.commit(holder);
    if (cut === 'after') throw new WireError('the connection was to be closed after the commit');
    return reply;
  } catch (error) {
    if (database.isHeldBy(holder)) database.rollback(holder);
    throw error;
  }
}

/** Arguments in which a write command has its statements. */
const STATEMENTS = ['documents', 'updates', 'deletes', 'ops'] as const;

/** Whether the connection is to be cut off around this write's commit: somebody tests what a retry does. */
function cutOff({ server, session, request, body }: CommandContext): 'before' | 'after' | null {
  if (server.failPoints === null) return null;
  const lists = STATEMENTS.map((name): unknown => request.sequences.get(name) ?? body[name]);
  const given = lists.find(Array.isArray);
  return server.failPoints.takeWrite(ownerOf(session.user), given?.length ?? 1);
}

/** Runs a write: in its transaction, or in one of its own that is committed before the reply. */
export function writing(
  context: CommandContext,
  work: (view: WriteView) => Promise<Document>,
): Promise<Reply> {
  return using(context, true, async (database) => {
    if (database === null) throw new Error('an opened database is never null');
    const { transaction, operation } = context;
    if (transaction === null) return alone(context, database, work);
    await transaction.enter(database, operation, 'write');
    try {
      return await work({ database, holder: transaction });
    } finally {
      transaction.leave();
    }
  });
}

/** The collection of a write; the first one makes it. */
export const collectionOf = ({ database }: WriteView, name: string): CollectionInfo =>
  database.catalog.find(name) ?? database.catalog.create(name);
