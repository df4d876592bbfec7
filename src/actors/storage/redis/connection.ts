import { Redis } from 'ioredis';
import type { ServerTls } from '../../../protocol/server-tls.ts';
import type { Host, Timer } from '../../../runtime/host.ts';
import { tlsOptions } from '../tls-options.ts';

/** Where and as whom a connection is opened. Holds a secret. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Absent: in the clear. */
  readonly tls?: ServerTls;
}

export type Argument = string | number | Buffer;

/** Milliseconds a connection may take to open. */
const CONNECT_MS = 5_000;

/**
 * One connection of the driver, for one life: it is not opened again by itself, queues nothing while it is down, and
 * repeats no command. Commands go out as they come; replies come in their order.
 */
export class RedisConnection {
  readonly #client: Redis;
  #closed = false;
  /** Resolves when it is closed, by whomever. */
  readonly gone: Promise<void>;

  private constructor(client: Redis) {
    this.#client = client;
    this.gone = new Promise((resolve) => {
      client.once('end', () => {
        this.#closed = true;
        resolve();
      });
    });
  }

  /** Rejects with the server's reply (a wrong password) or the socket's error. */
  static async open(target: RedisTarget, host: Host, timeoutMs = CONNECT_MS): Promise<RedisConnection> {
    const client = new Redis({
      ...{ host: target.host, port: target.port, username: target.user, password: target.password },
      ...(target.tls === undefined ? {} : { tls: tlsOptions(target.tls, target.host) }),
      protocol: 2,
      lazyConnect: true,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: Math.max(1, Math.min(timeoutMs, CONNECT_MS)),
    });
    let cause: unknown = null;
    client.on('error', (error: unknown) => {
      cause ??= error;
    });
    const connection = new RedisConnection(client);
    // The driver's own bound ends with the socket's connect: a server that accepts and says nothing is none.
    const timer: Timer = host.setTimer(timeoutMs, () => {
      cause ??= new Error(`no answer within ${Math.round(timeoutMs)} ms`);
      client.disconnect();
    });
    try {
      await client.connect();
    } catch (error) {
      client.disconnect();
      throw cause ?? error;
    } finally {
      host.clearTimer(timer);
    }
    return connection;
  }

  get closed(): boolean {
    return this.#closed || this.#client.status !== 'ready';
  }

  /** Rejects with a ReplyError, or another error where the connection was lost: then nobody knows what was done. */
  call(command: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.run(command, args);
  }

  /** The same with any number of arguments: a hundred thousand as parameters would fill the stack. */
  run(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.#client.call(command, [...args]);
  }

  /** Commands under way are rejected. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#client.disconnect();
  }
}
