/** What a server message of the wire protocol looks like where we read it. */
export interface RowDescription {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}
export interface DataRow {
  /** Text format; null is SQL's NULL. */
  readonly fields: readonly (string | null)[];
}
export interface CommandComplete {
  /** `INSERT 0 3`, `SELECT 20`, `CREATE TABLE`. */
  readonly text: string;
}

/** The part of pg's Connection (its wire protocol layer) that our statements write to. */
export interface Wire {
  readonly stream: { cork(): void; uncork(): void; destroy(): void; readonly bytesRead: number };
  parsedStatements: Record<string, string | undefined>;
  query(text: string): void;
  parse(message: { text: string; name: string; types: readonly number[] }): void;
  bind(message: { portal: string; statement: string; values: readonly (string | null)[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { portal: string; rows: number }): void;
  sync(): void;
  sendCopyFail(reason: string): void;
}

/** What we use of pg's Client; its published types leave the half of it out. */
export interface WireClient {
  readonly connection: Wire;
  readonly processID: number;
  readonly secretKey: number;
  connect(): Promise<unknown>;
  query(statement: WireStatement): unknown;
  end(): Promise<void>;
  on(event: 'error' | 'end', listener: () => void): unknown;
  getTransactionStatus(): 'I' | 'T' | 'E' | null;
}

/**
 * A statement as pg's Client runs it: the client hands it each message of the server's reply in turn. Ours builds
 * no row objects and no result it does not need, and settles when the server is ready again.
 */
export abstract class WireStatement {
  readonly text: string;
  readonly values: readonly (string | null)[];
  /** Under this name the statement stays prepared on its connection; empty: it does not. */
  readonly name: string;
  readonly done: Promise<void>;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};
  /** pg calls it where it is set; `done` is our way. */
  readonly callback = (): void => {};

  constructor(text: string, values: readonly (string | null)[] = [], name = '') {
    this.text = text;
    this.values = values;
    this.name = name;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Writes the statement; pg expects null, or the error that kept it from being written. */
  abstract submit(wire: Wire): null;
  abstract handleDataRow(message: DataRow): void;
  handleRowDescription(_message: RowDescription): void {}
  handleCommandComplete(_message: CommandComplete): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}
  handleCopyInResponse(wire: Wire): void {
    wire.sendCopyFail('COPY FROM STDIN is not supported here');
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }

  handleError(error: unknown): void {
    this.#reject(error);
  }

  /** Prepares (once per connection, where named), binds and executes in one write. */
  protected extended(wire: Wire, describe: boolean): null {
    wire.stream.cork();
    try {
      if (this.name === '' || wire.parsedStatements[this.name] === undefined) {
        wire.parse({ text: this.text, name: this.name, types: [] });
      }
      wire.bind({ portal: '', statement: this.name, values: this.values });
      if (describe) wire.describe({ type: 'P', name: '' });
      wire.execute({ portal: '', rows: 0 });
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
    return null;
  }
}

/** Rows of text fields, for the board's own statements on catalogues; small results only. */
export class TextStatement extends WireStatement {
  readonly rows: (readonly (string | null)[])[] = [];

  override submit(wire: Wire): null {
    if (this.values.length > 0 || this.name !== '') return this.extended(wire, false);
    wire.query(this.text);
    return null;
  }

  override handleDataRow(message: DataRow): void {
    this.rows.push(message.fields);
  }
}
