import { rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { LIMITS } from '../../../limits.ts';
import { toWire } from '../../../runtime/placement/wire-error.ts';
import { queryShape } from '../sql/query-shape.ts';
import { openTenantConnection, type TenantConnection } from '../sqlite/connection.ts';
import { LocalTransaction } from '../sqlite/local-transaction.ts';
import { encodeSchema } from '../sqlite/schema-codec.ts';
import { runSql, runSqlInside } from '../sqlite/sql-runner.ts';
import { toPublicError } from '../sqlite/sqlite-errors.ts';
import { SqliteSession } from '../sqlite/sqlite-session.ts';
import { encodeFrame, FrameReader } from './frame.ts';
import type { ReplyHeader, StorageRequest } from './storage-request.ts';

interface Reply {
  readonly header: ReplyHeader;
  readonly body: string;
}

const NOTHING = { rowCount: 0, total: null, totalKind: null, command: '' } as const;

interface OpenFile {
  readonly session: SqliteSession;
  /** The file behind the path when it was opened: a dropped and remade project has another. */
  readonly inode: number;
}

/** The work of a storage process: one statement at a time, synchronously. Killing it is how a statement ends early. */
export class StorageService {
  /** Least recently used first. */
  readonly #files = new Map<string, OpenFile>();
  /** A transaction for a tenant's own SQL, and the connection that is its alone. */
  #apart: { readonly connection: TenantConnection; readonly transaction: LocalTransaction } | null = null;

  handle(request: StorageRequest): Reply {
    try {
      return this.#handle(request);
    } catch (error) {
      return { header: { ok: false, error: toWire(toPublicError(error)) }, body: '' };
    }
  }

  close(): void {
    this.#closeApart();
    for (const { session } of this.#files.values()) session.close();
    this.#files.clear();
  }

  #handle(request: StorageRequest): Reply {
    switch (request.op) {
      case 'query':
        return this.#query(this.#open(request.file, request.busyMs), request);
      case 'sql':
        return this.#sql(request);
      case 'script':
        return this.#script(request);
      case 'schema':
        return this.#schema(request);
      case 'checkpoint':
        return this.#checkpoint(this.#open(request.file, 0));
      default:
        return this.#transact(request);
    }
  }

  /** What was begun and not ended is undone: the edge that began it went away. */
  abandon(): void {
    for (const { session } of this.#files.values()) session.transaction.rollback();
    this.#closeApart();
  }

  #closeApart(): void {
    this.#apart?.connection.database.close();
    this.#apart = null;
  }

  #begin({ file, busyMs, apart }: Extract<StorageRequest, { op: 'begin' }>): void {
    this.#closeApart();
    if (apart !== true) {
      const session = this.#open(file, busyMs);
      session.setBusyTimeout(busyMs);
      session.transaction.begin();
      return;
    }
    const connection = openTenantConnection({
      ...{ file, busyTimeout: busyMs, checkpointPages: LIMITS.checkpointPages },
    });
    this.#apart = { connection, transaction: new LocalTransaction(connection) };
    try {
      this.#apart.transaction.begin();
    } catch (error) {
      this.#closeApart();
      throw error;
    }
  }

  #script({ statement, params }: Extract<StorageRequest, { op: 'script' }>): Reply {
    if (this.#apart === null) throw new Error('no transaction was begun for it');
    const { connection } = this.#apart;
    try {
      const { json, rowCount, command } = runSqlInside(connection, statement, params);
      return { header: { ok: true, ...NOTHING, rowCount, command }, body: json };
    } catch (error) {
      throw toPublicError(error, connection.confinement.refusal);
    }
  }

  #end(transaction: LocalTransaction, commit: boolean): void {
    try {
      if (commit) transaction.commit();
      else transaction.rollback();
    } finally {
      this.#closeApart();
    }
  }

  #transact(request: Extract<StorageRequest, { op: 'begin' | 'claim' | 'settle' | 'end' }>): Reply {
    let body = '';
    if (request.op === 'begin') {
      this.#begin(request);
      return { header: { ok: true, ...NOTHING }, body };
    }
    const transaction = this.#apart?.transaction ?? this.#open(request.file, 0).transaction;
    switch (request.op) {
      case 'claim':
        body = JSON.stringify(transaction.idempotency.claim(request.claim, request.trim));
        break;
      case 'settle':
        transaction.idempotency.settle(request.key, request.result);
        break;
      default:
        this.#end(transaction, request.commit);
    }
    return { header: { ok: true, ...NOTHING }, body };
  }

  #schema({ file, busyMs }: Extract<StorageRequest, { op: 'schema' }>): Reply {
    const session = this.#open(file, busyMs);
    session.setBusyTimeout(busyMs);
    session.refreshSchema();
    return { header: { ok: true, ...NOTHING }, body: encodeSchema(session.describedSchema()) };
  }

  /** @param busyMs how long it may wait for whoever has the file for himself: after a crash, at the end of the last one. */
  #open(file: string, busyMs: number): SqliteSession {
    this.#closeDropped();
    const known = this.#files.get(file);
    const entry = known ?? {
      inode: statSync(file).ino,
      session: new SqliteSession({
        file,
        busyTimeout: busyMs,
        checkpointPages: LIMITS.checkpointPages,
        inlineOnly: false,
      }),
    };
    this.#files.delete(file);
    this.#files.set(file, entry);
    for (const [path, { session }] of this.#files) {
      if (this.#files.size <= LIMITS.storageProcessFiles) break;
      session.close();
      this.#files.delete(path);
    }
    return entry.session;
  }

  /** A deleted file that stays open keeps its space on the disk, and must not answer for the one that replaced it. */
  #closeDropped(): void {
    for (const [path, { session, inode }] of this.#files) {
      if (statSync(path, { throwIfNoEntry: false })?.ino === inode) continue;
      session.close();
      this.#files.delete(path);
    }
  }

  #query(session: SqliteSession, request: Extract<StorageRequest, { op: 'query' }>): Reply {
    session.setBusyTimeout(request.busyMs);
    session.refreshSchema();
    const shape = queryShape(request.query);
    const plan = session.plan(request.query, shape);
    const result =
      plan === null
        ? null
        : session.run(request.query, shape, plan, { byteBudget: null, role: request.role });
    if (result === null) throw new Error('a result without a budget cannot be refused');
    const { rowCount, total, totalKind, json } = result;
    return { header: { ok: true, rowCount, total, totalKind, command: '' }, body: json };
  }

  /** A connection of its own: a temporary table, a pragma or an open transaction must not reach the next tenant. */
  #sql(request: Extract<StorageRequest, { op: 'sql' }>): Reply {
    const { file, statement, params, busyMs } = request;
    const checkpointPages = LIMITS.checkpointPages;
    const connection = openTenantConnection({ file, busyTimeout: busyMs, checkpointPages });
    try {
      const { json, rowCount, command } = runSql(connection, statement, params);
      return { header: { ok: true, ...NOTHING, rowCount, command }, body: json };
    } catch (error) {
      throw toPublicError(error, connection.confinement.refusal);
    } finally {
      connection.database.close();
    }
  }

  /** Moves the WAL into the database; waits for nobody, so what a reader still needs stays for the next time. */
  #checkpoint(session: SqliteSession): Reply {
    session.checkpoint();
    return { header: { ok: true, ...NOTHING }, body: '' };
  }
}

function serve(socket: Socket, service: StorageService): void {
  const frames = new FrameReader();
  /** Whether this socket has begun a transaction that has not ended. */
  let transacting = false;
  socket.on('data', (chunk: Buffer) => {
    for (const frame of frames.push(chunk)) {
      const request = frame.header as StorageRequest; // only our own edge threads reach this socket
      const { header, body } = service.handle(request);
      if (header.ok && request.op === 'begin') transacting = true;
      // A commit that failed is followed by a rollback.
      else if (header.ok && request.op === 'end') transacting = false;
      const [head, text] = encodeFrame(header, body);
      socket.write(head);
      socket.write(text);
    }
  });
  // The other end went away; the owner of the lease knows why.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    if (transacting) service.abandon();
  });
}

/** Listens on a Unix socket that only this user can open. Resolves once it does. */
export function listen(path: string, service: StorageService): Promise<Server> {
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => serve(socket, service));
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}
