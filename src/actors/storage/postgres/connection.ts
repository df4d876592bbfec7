import type { Connection } from '../../../protocol/project.ts';
import type { PooledConnection } from '../connection-pool.ts';
import type { WatchedConnection } from '../statement-watch.ts';
import { sendCancel } from './cancel.ts';
import { driverTls, tlsRefused } from './driver-tls.ts';
import { TextStatement, type WireClient, type WireStatement } from './wire.ts';

export type PostgresTarget = Omit<Extract<Connection, { engine: 'postgres' }>, 'engine' | 'requestRoles'> & {
  /** Settings of the session from its start on, `-c search_path=pg_catalog`. */
  readonly options?: string;
};

const CONNECT_TIMEOUT_MS = 5_000;

/** One connection to a server. `pg` is loaded with the first one: an edge that serves SQLite alone never pays for it. */
export class PgConnection implements PooledConnection, WatchedConnection {
  readonly target: PostgresTarget;
  readonly #client: WireClient;
  /** Called once when the connection is gone, whoever ended it. */
  onClosed: () => void = () => {};
  #closed = false;
  #poisoned = false;
  #prepared = 0;
  #running: WireStatement | null = null;
  /** Served a tenant's own SQL last: prepared statements are gone, so queries of the grammar prefer another one. */
  native = false;

  private constructor(client: WireClient, target: PostgresTarget) {
    this.#client = client;
    this.target = target;
    const gone = (): void => {
      if (this.#closed) return;
      this.#closed = true;
      this.onClosed();
    };
    // Before connecting: a server that dies in the very turn it says yes would, without a listener, end the process.
    client.on('error', gone);
    client.on('end', gone);
    // One write may prepare two statements, which pg, that knows of one name a statement, would take for one another.
    client.connection.on('parseComplete', () => {
      const name = this.#running?.parsed() ?? '';
      if (name !== '') client.connection.parsedStatements[name] = name;
    });
  }

  /** Rejects with the driver's error. */
  static async open(target: PostgresTarget, timeoutMs = CONNECT_TIMEOUT_MS): Promise<PgConnection> {
    try {
      return await PgConnection.#open(target, timeoutMs);
    } catch (error) {
      if (!tlsRefused(target.tls, error)) throw error;
      const { tls: _none, ...clear } = target;
      return PgConnection.#open(clear, timeoutMs);
    }
  }

  static async #open(target: PostgresTarget, timeoutMs: number): Promise<PgConnection> {
    const { default: pg } = await import('pg');
    const { host, port, database, user, password, options = '' } = target;
    const client = new pg.Client({
      ...{ host, port, database, user, password, options, application_name: 'magmobo' },
      ...driverTls(target),
      connectionTimeoutMillis: Math.max(1, Math.ceil(timeoutMs)),
    }) as unknown as WireClient; // pg's types leave its wire protocol layer out.
    const connection = new PgConnection(client, target);
    try {
      await client.connect();
    } catch (error) {
      client.connection.stream.destroy();
      throw error;
    }
    return connection;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes received since it was opened. */
  get bytesRead(): number {
    return this.#client.connection.stream.bytesRead;
  }

  get pid(): number {
    return this.#client.processID;
  }

  /** Not to be used again: it is being closed, or a cancel was sent that may yet hit what runs next here. */
  get poisoned(): boolean {
    return this.#poisoned;
  }

  /** Statements prepared here, as far as we asked for them. */
  get prepared(): number {
    return this.#prepared;
  }

  /** Whether the last statement left a transaction open. */
  get inTransaction(): boolean {
    return this.#client.getTransactionStatus() !== 'I';
  }

  /** Forgets what was prepared, after the server was told to. */
  forgetPrepared(): void {
    this.#client.connection.parsedStatements = {};
    this.#prepared = 0;
  }

  /** Runs one statement and settles when the server is ready again. One at a time. */
  run(statement: WireStatement): Promise<void> {
    this.#prepared += statement.unprepared(this.#client.connection.parsedStatements);
    this.#running = statement;
    this.#client.query(statement);
    return statement.done;
  }

  /** Rows of text fields; for catalogues. Without values the text may hold several statements. */
  async rows(text: string, values: readonly (string | null)[] = []): Promise<TextStatement['rows']> {
    const statement = new TextStatement(text, values);
    await this.run(statement);
    return statement.rows;
  }

  /**
   * Asks the server to cancel what runs here, over a connection of its own as the protocol wants it. The reply is the
   * statement's error 57014, or its success where it was quicker.
   */
  cancel(): void {
    if (this.#closed) return;
    this.#poisoned = true;
    sendCancel(this.target, this.#client.processID, this.#client.secretKey);
  }

  /** Closes the socket at once; whatever ran is rejected. That shows a little later: nobody may use it in between. */
  destroy(): void {
    this.#poisoned = true;
    this.#client.connection.stream.destroy();
  }

  /** Says goodbye to the server. */
  async end(): Promise<void> {
    if (this.#closed) return;
    await this.#client.end().catch(() => this.destroy());
  }
}
