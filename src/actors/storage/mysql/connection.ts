import { LIMITS } from '../../../limits.ts';
import type { Connection } from '../../../protocol/project.ts';
import type { PooledConnection } from '../connection-pool.ts';
import type { WatchedConnection } from '../statement-watch.ts';
import type { Command, DriverConnection, DriverField, Header } from './driver.ts';
import { driverTls, tlsRefused } from './driver-tls.ts';
import type { Bound } from './statement.ts';

export type MysqlTarget = Omit<Extract<Connection, { engine: 'mysql' }>, 'engine'>;

const CONNECT_TIMEOUT_MS = 5_000;
/** Set in a command's status where it left a transaction open. */
const IN_TRANSACTION = 1;

/** Where the rows of a statement go. */
export interface RowSink {
  fields?(fields: readonly DriverField[]): void;
  row(cells: readonly unknown[]): void;
}

/** What a session starts with, and starts with again after a tenant's own SQL. */
const SESSION_SETTINGS =
  `SET time_zone = '+00:00', tx_isolation = 'READ-COMMITTED', group_concat_max_len = ${LIMITS.mysqlGroupBytes}, ` +
  `sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'`;

/** One connection to a server. `mysql2` is loaded with the first one: an edge without MySQL projects never pays for it. */
export class MysqlConnection implements PooledConnection, WatchedConnection {
  readonly target: MysqlTarget;
  readonly #client: DriverConnection;
  /** Marks an integer for the driver, which would send it as a text. */
  readonly #integer: (value: bigint) => unknown;
  onClosed: () => void = () => {};
  native = false;
  #closed = false;
  #poisoned = false;
  #status = 0;
  /** Rejects what runs where the connection ends under it: the driver tells only the connection then. */
  #interrupt: (error: Error) => void = () => {};

  private constructor(client: DriverConnection, target: MysqlTarget, integer: (value: bigint) => unknown) {
    this.#client = client;
    this.#integer = integer;
    this.target = target;
    client.on('error', (error) => this.#gone(error));
    client.stream.on('close', () => this.#gone(new Error('the server closed the connection')));
  }

  /** Rejects with the driver's error. */
  static async open(target: MysqlTarget, timeoutMs = CONNECT_TIMEOUT_MS): Promise<MysqlConnection> {
    try {
      return await MysqlConnection.#open(target, timeoutMs);
    } catch (error) {
      if (!tlsRefused(target.tls, error)) throw error;
      const { tls: _none, ...clear } = target;
      return MysqlConnection.#open(clear, timeoutMs);
    }
  }

  static async #open(target: MysqlTarget, timeoutMs: number): Promise<MysqlConnection> {
    const { default: mysql } = await import('mysql2');
    const { host, port, database, user, password } = target;
    const client = mysql.createConnection({
      ...{ host, port, user, password, ...(database === '' ? {} : { database }) },
      ...driverTls(target),
      ...{ charset: 'utf8mb4_bin', connectTimeout: Math.max(1, Math.ceil(timeoutMs)) },
      // Values as the server has them: no number is rounded, no date moved, no JSON read.
      ...{ rowsAsArray: true, supportBigNumbers: true, bigNumberStrings: true },
      ...{ dateStrings: true, jsonStrings: true, maxPreparedStatements: LIMITS.mysqlPreparedStatements },
      // A server could ask for any file of ours.
      flags: ['-LOCAL_FILES'],
    }) as unknown as DriverConnection; // driver.ts says why.
    const connection = new MysqlConnection(client, target, mysql.TypedParameter.LONGLONG);
    try {
      await new Promise<void>((resolve, reject) => {
        connection.#interrupt = reject;
        client.connect((error) => (error === null ? resolve() : reject(error)));
      });
      await connection.run({ sql: SESSION_SETTINGS, values: [] });
    } catch (error) {
      client.stream.destroy();
      throw error;
    }
    return connection;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get poisoned(): boolean {
    return this.#poisoned;
  }

  get bytesRead(): number {
    return this.#client.stream.bytesRead;
  }

  get id(): number {
    return this.#client.threadId ?? 0;
  }

  /** Whether the last statement that gave no rows left a transaction open. */
  get inTransaction(): boolean {
    return (this.#status & IN_TRANSACTION) !== 0;
  }

  /**
   * Runs one statement and settles when it is done. One at a time.
   * @param how `prepare` keeps it prepared, `once` forgets it again, `text` does not prepare it.
   */
  run(
    { sql, values }: Bound,
    sink?: RowSink,
    how: 'prepare' | 'once' | 'text' = 'text',
  ): Promise<Header | null> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new Error('the connection is closed'));
        return;
      }
      let header: Header | null = null;
      const bound = values.map((value) => (typeof value === 'bigint' ? this.#integer(value) : value));
      this.#interrupt = reject;
      const command: Command =
        how === 'text' ? this.#client.query({ sql }) : this.#client.execute({ sql, values: bound });
      command.on('fields', (fields) => {
        if (fields !== undefined) sink?.fields?.(fields);
      });
      command.on('result', (result) => {
        if (isRow(result)) sink?.row(result);
        else {
          header = result;
          this.#status = result.serverStatus;
        }
      });
      command.on('error', reject);
      command.on('end', () => {
        if (how === 'once' && !this.#closed) this.#client.unprepare({ sql });
        resolve(header);
      });
    });
  }

  /** All rows of a statement of the board's own; for catalogues. */
  async rows(sql: string, values: Bound['values'] = []): Promise<readonly (readonly unknown[])[]> {
    const rows: (readonly unknown[])[] = [];
    await this.run(
      { sql, values },
      { row: (cells) => rows.push(cells) },
      values.length > 0 ? 'once' : 'text',
    );
    return rows;
  }

  /** Undoes what a tenant's SQL left in the session: transactions, locks, variables, temporary tables, the database. */
  async reset(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#interrupt = reject;
      this.#client.reset((error) => (error === null ? resolve() : reject(error)));
    });
    this.#status = 0;
    await this.run({ sql: `USE \`${this.target.database.replaceAll('`', '``')}\``, values: [] });
    await this.run({ sql: SESSION_SETTINGS, values: [] });
  }

  /** Asks the server over another connection to end what runs here; the reply is its error 1317, or its success. */
  cancel(): void {
    this.kill('QUERY');
  }

  /** For what ignores its cancellation: the server ends the connection. Outside the permits, and short. */
  kill(what: 'QUERY' | 'CONNECTION'): void {
    if (this.#closed && what === 'QUERY') return;
    this.#poisoned = true;
    const { id } = this;
    MysqlConnection.open({ ...this.target, database: '' })
      .then(async (own) => {
        try {
          await own.run({ sql: `KILL ${what} ${id}`, values: [] });
        } finally {
          await own.end();
        }
      })
      .catch(() => {}); // Gone already, or the server with it: there is nothing left to end.
  }

  destroy(): void {
    this.#poisoned = true;
    this.#client.stream.destroy();
  }

  async end(): Promise<void> {
    if (this.#closed) return;
    this.#poisoned = true;
    await new Promise<void>((resolve) => this.#client.end(() => resolve()));
    this.destroy();
  }

  #gone(error: Error): void {
    this.#interrupt(error);
    if (this.#closed) return;
    this.#closed = true;
    this.onClosed();
  }
}

const isRow = (result: readonly unknown[] | Header): result is readonly unknown[] => Array.isArray(result);
