import { createConnection, type Socket } from 'node:net';
import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Host } from '../../../runtime/host.ts';
import { fromWire } from '../../../runtime/placement/wire-error.ts';
import { encodeFrame, FrameReader } from './frame.ts';
import type {
  Lease,
  LeaseRequest,
  ReplyHeader,
  RunStorage,
  StorageClient,
  StorageReply,
  StorageRequest,
  StorageRunOptions,
} from './storage-request.ts';

/** The pool owner as an edge worker reaches it: asks to the main thread. */
export interface StorageLeases {
  lease(request: LeaseRequest): Promise<Lease>;
  release(id: number): void;
  cancel(id: number): void;
}

interface Pending {
  readonly resolve: (reply: StorageReply) => void;
  readonly reject: (error: Error) => void;
}

const timedOut = (): DatabaseError =>
  new DatabaseError('57014', 'canceling statement due to statement timeout');

const abandoned = (): DatabaseError => new DatabaseError('57014', 'canceling statement due to user request');

/** One connection to one storage process. The lease sees to it that one request is in flight at most. */
class Connection {
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  #pending: Pending | null = null;
  #closed = false;
  /** Whether anybody ever answered: before that, no statement can have run. */
  connected = false;

  constructor(path: string, onClose: () => void) {
    this.#socket = createConnection(path, () => {
      this.connected = true;
    });
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    let failure: Error | undefined;
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.#socket.on('close', () => {
      this.#closed = true;
      onClose();
      const cause = failure?.message ?? 'its connection closed';
      this.#fail(new MagError('MAG_PROCESS_EXITED', { name: 'storage process', cause }, { cause: failure }));
    });
  }

  get usable(): boolean {
    return !this.#closed && this.#pending === null;
  }

  request(request: StorageRequest): Promise<StorageReply> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(
          new MagError('MAG_PROCESS_EXITED', { name: 'storage process', cause: 'its connection closed' }),
        );
        return;
      }
      this.#pending = { resolve, reject };
      const [head, body] = encodeFrame(request, '');
      this.#socket.write(head);
      if (body.length > 0) this.#socket.write(body);
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) this.#settle(frame.header as ReplyHeader, frame.body); // our own process wrote it
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #settle(header: ReplyHeader, body: string): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return;
    if (header.ok) {
      const { rowCount, total, totalKind, command } = header;
      pending.resolve({ rowCount, total, totalKind, command, body });
    } else pending.reject(fromWire(header.error));
  }

  #fail(error: Error): void {
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(error);
  }
}

/**
 * Storage processes as the engines of one edge worker use them. A process is leased from the pool owner, the
 * statement goes to it over its own socket, and its JSON comes back without passing the main thread.
 */
export class SocketStorageClient implements StorageClient {
  readonly #host: Host;
  readonly #leases: StorageLeases;
  readonly #connections = new Map<string, Connection>();

  constructor(host: Host, leases: StorageLeases) {
    this.#host = host;
    this.#leases = leases;
  }

  run(request: StorageRequest, options: StorageRunOptions): Promise<StorageReply> {
    return this.hold(options, (run) => run(request));
  }

  async hold<Result>(
    options: StorageRunOptions,
    work: (run: RunStorage) => Promise<Result>,
  ): Promise<Result> {
    const first = await this.#attempt(options, work);
    if (first !== NOBODY) return first;
    // The process died before its owner heard of it; the next lease is of another.
    const second = await this.#attempt(options, work);
    if (second !== NOBODY) return second;
    throw new MagError('MAG_PROCESS_EXITED', { name: 'storage process', cause: 'nobody listens' });
  }

  async #attempt<Result>(
    options: StorageRunOptions,
    work: (run: RunStorage) => Promise<Result>,
  ): Promise<Result | typeof NOBODY> {
    const lease = await this.#lease(options);
    const connection = this.#connect(lease.socket);
    let over = false;
    const cancel = (): void => {
      over = true;
      this.#leases.cancel(lease.id);
      connection.destroy();
    };
    try {
      return await work((request) => this.#unlessEnded(connection.request(request), options, cancel));
    } catch (error) {
      // Released, a dead process would be leased again before its exit is known.
      if (isGone(error) && !over) cancel();
      if (isGone(error) && !connection.connected) return NOBODY;
      throw error;
    } finally {
      if (!over) this.#leases.release(lease.id);
    }
  }

  async #lease({ ref, lane, deadline, signal }: StorageRunOptions): Promise<Lease> {
    const timeoutMs = deadline - this.#host.now();
    if (signal?.aborted === true) throw abandoned();
    if (timeoutMs <= 0) throw timedOut();
    const leasing = this.#leases.lease({ ref, lane, timeoutMs });
    const waiting = { ref, lane, deadline, ...(signal === undefined ? {} : { signal }) };
    return this.#unlessEnded(leasing, waiting, () => {
      // Granted after all, to nobody: it goes back unused. A refusal needs nothing.
      leasing.then((late) => this.#leases.release(late.id)).catch(() => {});
    });
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.destroy();
    this.#connections.clear();
  }

  #connect(path: string): Connection {
    const known = this.#connections.get(path);
    if (known?.usable === true) return known;
    known?.destroy();
    // The path of a dead process is never used again; its entry goes with the connection.
    const connection = new Connection(path, () => {
      if (this.#connections.get(path) === connection) this.#connections.delete(path);
    });
    this.#connections.set(path, connection);
    return connection;
  }

  /** What `work` gives, unless the deadline passes or the client goes away first; then `ended` cleans up. */
  #unlessEnded<Result>(
    work: Promise<Result>,
    { deadline, signal }: StorageRunOptions,
    ended: () => void,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#host.clearTimer(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const end = (error: Error): void => {
        finish();
        ended();
        reject(error);
      };
      const onAbort = (): void => end(abandoned());
      const patience = Math.min(Math.max(0, deadline - this.#host.now()), LIMITS.requestTimeoutMs * 10);
      const timer = this.#host.setTimer(patience, () => end(timedOut()));
      signal?.addEventListener('abort', onAbort, { once: true });
      work.then(
        (result) => {
          finish();
          resolve(result);
        },
        (error: unknown) => {
          finish();
          // Killed by the owner's clock a moment before ours fired.
          const late = deadline - this.#host.now() < KILL_SLACK_MS && isLate(error);
          reject(late ? timedOut() : error);
        },
      );
    });
  }
}

/** The socket of the leased process was dead before anything was sent. */
const NOBODY = Symbol('nobody');

/** Timers of two threads for one deadline differ by about so much. */
const KILL_SLACK_MS = 25;

/** What the owner's clock does to a statement: refuses the one that waits, kills the process of the one that runs. */
const isLate = (error: unknown): boolean =>
  isGone(error) || (error instanceof MagError && error.code === 'MAG_POOL_TIMEOUT');

const isGone = (error: unknown): boolean => error instanceof MagError && error.code === 'MAG_PROCESS_EXITED';
