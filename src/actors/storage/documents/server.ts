import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describeError } from '../../../errors.ts';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { Host } from '../../../runtime/host.ts';
import { ClusterTime } from './cluster-time.ts';
import { ownerOf, type ServerParts, type Session } from './command.ts';
import { Cursors } from './cursors.ts';
import { Databases } from './databases.ts';
import { dispatch, failureReply } from './dispatch.ts';
import { DocumentError } from './document-error.ts';
import { FailPoints } from './fail-points.ts';
import { scramVerifier } from './scram.ts';
import { Sessions } from './sessions.ts';
import { Transactions } from './transactions.ts';
import { Users } from './users.ts';
import { encodeReply, MessageReader, readMessage, type WireRequest } from './wire.ts';

export interface DocumentServerOptions {
  readonly host: Host;
  /** Holds a file for each database, and that of the users. */
  readonly folder: string;
  /** Who makes databases and users; the password is kept nowhere. */
  readonly admin: { readonly name: string; readonly password: string };
  /** Whether a user may make commands of its own fail on purpose (`configureFailPoint`). */
  readonly faultInjection: boolean;
  readonly log: (message: string) => void;
}

const LOCAL = '127.0.0.1';

type Answer = (session: Session, request: WireRequest) => Promise<Buffer | null>;

/** One client: its messages are answered one after the other, in the order in which they came. */
class Connection {
  readonly session: Session;
  readonly #socket: Socket;
  readonly #answer: Answer;
  readonly #reader = new MessageReader();
  #waiting: Buffer[] = [];
  #busy = false;

  constructor(id: number, socket: Socket, answer: Answer) {
    this.session = { id, user: null, login: null, monitor: false, running: null, transactions: new Set() };
    this.#socket = socket;
    this.#answer = answer;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    // Whoever went away is told nothing; its commands end below, at close.
    socket.on('error', () => socket.destroy());
  }

  /** Its commands have nobody to answer to, and its transactions nobody to go on with them, as far as it is known. */
  ended(): void {
    this.session.running?.kill('the client disconnected');
    for (const transaction of this.session.transactions) transaction.orphan();
    this.#waiting = [];
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#reader.push(chunk)) this.#waiting.push(message);
    } catch {
      this.#socket.destroy();
      return;
    }
    if (this.#waiting.length > DOCUMENT_LIMITS.pipelined) this.#socket.destroy();
    else void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        const reply = await this.#answer(this.session, readMessage(next));
        if (reply !== null && !this.#socket.destroyed) await this.#send(reply);
      } catch {
        // A frame that is none: nothing says where the next one begins.
        this.#socket.destroy();
        break;
      }
    }
    this.#busy = false;
  }

  /** Waits for a reader that is slow; one that reads nothing holds up itself alone. */
  #send(reply: Buffer): Promise<void> | undefined {
    if (this.#socket.write(reply) || this.#socket.writableLength < DOCUMENT_LIMITS.unreadBytes)
      return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }
}

/** A server that speaks MongoDB's wire protocol over SQLite files, for the official drivers. */
export class DocumentServer {
  readonly #options: DocumentServerOptions;
  readonly #parts: ServerParts;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #address = '';
  #requests = 0;
  #clients = 0;

  constructor(options: DocumentServerOptions) {
    const { host, folder, admin } = options;
    this.#options = options;
    const random = (size: number): Uint8Array => host.randomBytes(size);
    const verifier = scramVerifier(admin.password, Buffer.from(random(16)));
    const known = { name: admin.name, database: 'admin', admin: true, reader: false, guest: false, verifier };
    this.#parts = {
      host,
      databases: new Databases(join(folder, 'data')),
      users: new Users(join(folder, 'users.db'), known, random),
      transactions: new Transactions(host),
      sessions: new Sessions(host),
      cursors: new Cursors(host),
      time: new ClusterTime(host),
      failPoints: options.faultInjection ? new FailPoints() : null,
      operations: new Map(),
      disconnect: (owner) => this.#disconnect(owner),
      address: () => this.#address,
    };
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = DOCUMENT_LIMITS.connections;
  }

  /** Listens on this machine only; 0 takes a free port. Resolves with the port. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, LOCAL, () => {
        this.#server.off('error', reject);
        const bound = this.#server.address();
        const found = typeof bound === 'object' && bound !== null ? bound.port : port;
        this.#address = `${LOCAL}:${found}`;
        resolve(found);
      });
    });
  }

  /** Undoes what is open, ends every connection and closes the files. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.destroy();
    await closed;
    this.#parts.transactions.close();
    this.#parts.databases.close();
    this.#parts.users.close();
  }

  #accept(socket: Socket): void {
    const { host } = this.#options;
    this.#clients += 1;
    const connection = new Connection(this.#clients, socket, (session, request) =>
      this.#answer(session, request),
    );
    this.#connections.add(connection);
    const login = host.setTimer(DOCUMENT_LIMITS.loginMs, () => {
      // A monitor asks hello and nothing else, for ever: drivers do not authenticate it.
      if (connection.session.user === null && !connection.session.monitor) socket.destroy();
    });
    socket.on('close', () => {
      host.clearTimer(login);
      this.#connections.delete(connection);
      connection.ended();
    });
  }

  async #answer(session: Session, request: WireRequest): Promise<Buffer | null> {
    this.#requests += 1;
    const id = this.#requests;
    const before = session.user;
    const reply = await dispatch(this.#parts, session, request, id).catch((error: unknown) =>
      failureReply(error, request.body, (cause) => this.#options.log(describeError(cause))),
    );
    if (before === null && session.user !== null && this.#crowded(session)) {
      session.user = null;
      const refused = new DocumentError('AuthenticationFailed', 'too many connections of this user');
      return encodeReply(request, refused.reply(), id);
    }
    return request.silent ? null : encodeReply(request, reply, id, this.#parts.time.fields);
  }

  #disconnect(owner: string): void {
    for (const connection of this.#connections)
      if (ownerOf(connection.session.user) === owner) connection.destroy();
  }

  #crowded(session: Session): boolean {
    const owner = ownerOf(session.user);
    let mine = 0;
    for (const connection of this.#connections) if (ownerOf(connection.session.user) === owner) mine += 1;
    return mine > DOCUMENT_LIMITS.userConnections;
  }
}
