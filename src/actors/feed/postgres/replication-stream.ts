import { Buffer } from 'node:buffer';
import type { Client } from 'pg';
import type { Host } from '../../../runtime/host.ts';
import { driverTls } from '../../storage/postgres/driver-tls.ts';
import { type Lsn, POSTGRES_EPOCH } from './pgoutput.ts';
import { type AdminConnection, PUBLICATION } from './source.ts';

/** What a stream tells. `message` bytes are only good during the call. */
export interface StreamListener {
  message(bytes: Buffer): void;
  /** The server has sent everything before this position. */
  reached(lsn: Lsn): void;
  /** It ended, once, also for an error that a listener threw. */
  ended(error: Error): void;
}

/** The part of pg's wire layer that pg's types leave out. */
interface WireLayer {
  readonly stream: { destroy(): void };
  on(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): void;
  once(event: 'replicationStart', listener: () => void): void;
  sendCopyFromChunk(chunk: Buffer): void;
}

const CONNECT_MS = 5_000;
const WAL_DATA = 0x77;
const KEEPALIVE = 0x6b;
/** Start and end position and clock come before the message itself. */
const WAL_HEADER = 25;
/** Output functions run in the sender's session: what cells.ts reads is fixed here. */
const SESSION =
  '-c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1';

/** One START_REPLICATION session on a slot. */
export class ReplicationStream {
  readonly #client: Client;
  readonly #wire: WireLayer;
  readonly #host: Host;
  readonly #listener: StreamListener;
  #started = false;
  #ended = false;
  #confirmed: Lsn = 0n;

  private constructor(client: Client, host: Host, listener: StreamListener) {
    this.#client = client;
    // pg's types leave the wire layer out; `connection` is how its own pools reach it.
    this.#wire = (client as unknown as { connection: WireLayer }).connection;
    this.#host = host;
    this.#listener = listener;
    client.on('error', (error) => this.#end(error));
    client.on('end', () => this.#end(new Error('the server closed the replication connection')));
  }

  /** Connects and starts the stream; resolves when the server has accepted it. Rejects with the driver's error. */
  static async start(
    host: Host,
    admin: AdminConnection,
    slot: string,
    listener: StreamListener,
  ): Promise<ReplicationStream> {
    const { engine: _engine, tls: _tls, ...target } = admin;
    const { default: pg } = await import('pg');
    const client = new pg.Client({
      ...target,
      ...driverTls(admin),
      application_name: slot,
      options: SESSION,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      // Not in pg's types: makes the backend a walsender.
      ...{ replication: 'database' },
    });
    const stream = new ReplicationStream(client, host, listener);
    try {
      await client.connect();
      await stream.#begin(slot);
      return stream;
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  #begin(slot: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wire.once('replicationStart', () => {
        this.#started = true;
        resolve();
      });
      this.#wire.on('copyData', ({ chunk }) => this.#receive(chunk));
      // Position 0/0 means: where the slot was confirmed.
      const start = `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 (proto_version '1', publication_names '${PUBLICATION}')`;
      this.#client.query(start).then(
        () => this.#end(new Error('the server ended the stream')),
        (error: Error) => {
          reject(error);
          this.#end(error);
        },
      );
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      if (chunk[0] === WAL_DATA) this.#listener.message(chunk.subarray(WAL_HEADER));
      else if (chunk[0] === KEEPALIVE) {
        this.#listener.reached(chunk.readBigUInt64BE(1));
        if (chunk[17] === 1) this.confirm(this.#confirmed);
      }
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
      this.close();
    }
  }

  /** Tells the server that nothing before `lsn` is needed any more. */
  confirm(lsn: Lsn): void {
    if (this.#ended) return;
    if (lsn > this.#confirmed) this.#confirmed = lsn;
    const update = Buffer.alloc(34);
    update[0] = 0x72;
    update.writeBigUInt64BE(this.#confirmed, 1);
    update.writeBigUInt64BE(this.#confirmed, 9);
    update.writeBigUInt64BE(this.#confirmed, 17);
    update.writeBigInt64BE(BigInt(Math.round(this.#host.wallTime())) * 1000n - POSTGRES_EPOCH, 25);
    this.#wire.sendCopyFromChunk(update);
  }

  /** Cuts the connection; `ended` is not called for it. */
  close(): void {
    this.#ended = true;
    this.#wire.stream.destroy();
  }

  #end(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    // Before that, the rejection of start() tells it.
    if (this.#started) this.#listener.ended(error);
  }
}
