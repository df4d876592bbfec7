import { MessageWriter } from './message-writer.ts';

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
  readonly stream: {
    readonly writable: boolean;
    readonly bytesRead: number;
    write(bytes: Uint8Array): void;
    destroy(): void;
  };
  /** Ours alone: pg writes it only for statements that have a `name`. */
  parsedStatements: Record<string, string | undefined>;
  on(event: 'parseComplete', listener: () => void): unknown;
  query(text: string): void;
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

const writer = new MessageWriter();

/** A statement and its values; it stays prepared under its name, where it has one. */
export interface Bound {
  readonly text: string;
  readonly values: readonly (string | null)[];
  readonly name: string;
  /** What runs after it, before whatever it was put before. */
  readonly next?: Bound;
}

const listed = (first: Bound | null | undefined): readonly Bound[] =>
  first === null || first === undefined ? [] : [first, ...listed(first.next)];

/**
 * A statement as pg's Client runs it: the client hands it each message of the server's reply in turn. Ours builds
 * no row objects and no result it does not need, and settles when the server is ready again.
 */
export abstract class WireStatement {
  readonly text: string;
  readonly values: readonly (string | null)[];
  /** Under this name the statement stays prepared on its connection; empty: it does not. */
  readonly preparedAs: string;
  readonly done: Promise<void>;
  /** Runs before it in the same write and, as no Sync is between them, in the same transaction. */
  readonly #before: readonly Bound[];
  /** How many of them have run. */
  #ran = 0;
  /** Names of the statements that the server was told to prepare and has not yet, in order. */
  readonly #parsing: string[] = [];
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};
  /** pg calls it where it is set; `done` is our way. */
  readonly callback = (): void => {};

  constructor(text: string, values: readonly (string | null)[] = [], name = '', before: Bound | null = null) {
    this.text = text;
    this.values = values;
    this.preparedAs = name;
    this.#before = listed(before);
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

  /** The statements of this write that are not yet prepared on the connection. */
  unprepared(known: Wire['parsedStatements']): number {
    const names = [this.preparedAs, ...this.#before.map(({ name }) => name), this.after?.name ?? ''];
    return names.filter((name) => name !== '' && known[name] === undefined).length;
  }

  /** The server has prepared the next of those that it was told to; gives its name. */
  parsed(): string {
    return this.#parsing.shift() ?? '';
  }

  /** Whether what failed is the first of what runs before it. */
  get failedFirst(): boolean {
    return this.#before.length > 0 && this.#ran === 0;
  }

  /** Runs after it in the same write and transaction. */
  protected get after(): Bound | null {
    return null;
  }

  /** Asked for each row and completion: whether it belongs to what runs before, and is not to be read. */
  protected skips(completed: boolean): boolean {
    if (this.#ran === this.#before.length) return false;
    if (completed) this.#ran += 1;
    return true;
  }

  /** Prepares (once per connection, where named), binds and executes in one write. */
  protected extended(wire: Wire, describe: boolean): null {
    writer.begin();
    for (const before of this.#before) this.#execute(wire, before, false);
    const { text, values, preparedAs: name } = this;
    this.#execute(wire, { text, values, name }, describe);
    const { after } = this;
    if (after !== null) this.#execute(wire, after, false);
    const batch = writer.sync().take();
    // A socket that is gone has told its client, which rejects the statement.
    if (wire.stream.writable) wire.stream.write(batch);
    return null;
  }

  #execute(wire: Wire, { text, values, name }: Bound, describe: boolean): void {
    if (name === '' || wire.parsedStatements[name] === undefined) {
      this.#parsing.push(name);
      writer.parse(name, text);
    }
    writer.bind(name, values);
    if (describe) writer.describePortal();
    writer.execute();
  }
}

/** Rows of text fields, for the board's own statements on catalogues; small results only. */
export class TextStatement extends WireStatement {
  readonly rows: (readonly (string | null)[])[] = [];
  /** Tag of the last command: `COMMIT`. */
  command = '';

  override submit(wire: Wire): null {
    if (this.values.length > 0 || this.preparedAs !== '') return this.extended(wire, false);
    wire.query(this.text);
    return null;
  }

  override handleDataRow(message: DataRow): void {
    if (this.skips(false)) return;
    this.rows.push(message.fields);
  }

  override handleCommandComplete(message: CommandComplete): void {
    if (this.skips(true)) return;
    this.command = message.text;
  }
}
