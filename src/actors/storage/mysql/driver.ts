/** The part of mysql2 that we use; its published types leave out the events of a command, by which rows are read. */

/** What a command reports that gives no rows. */
export interface Header {
  readonly affectedRows: number;
  readonly insertId: number | string;
  /** SERVER_STATUS_… flags. */
  readonly serverStatus: number;
  readonly warningStatus: number;
}

export interface DriverField {
  readonly name: string;
  /** MYSQL_TYPE_…. */
  readonly columnType: number;
  readonly columnLength: number;
  readonly flags: number;
  /** 63 is binary. */
  readonly characterSet: number;
  /** `json` and the like, which MariaDB tells beside the type. */
  readonly extendedFormat?: string;
  readonly extendedTypeName?: string;
}

export interface Command {
  on(event: 'fields', listener: (fields: readonly DriverField[] | undefined) => void): this;
  on(event: 'result', listener: (row: readonly unknown[] | Header) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'end', listener: () => void): this;
}

export interface DriverStatement {
  readonly sql: string;
  readonly values?: readonly unknown[];
}

export interface DriverConnection {
  readonly threadId: number | null;
  readonly stream: {
    readonly bytesRead: number;
    destroy(): void;
    on(event: 'close', listener: () => void): void;
  };
  on(event: 'error', listener: (error: Error) => void): this;
  connect(callback: (error: Error | null) => void): void;
  execute(statement: DriverStatement): Command;
  query(statement: DriverStatement): Command;
  unprepare(statement: DriverStatement): unknown;
  reset(callback: (error: Error | null) => void): void;
  end(callback: (error?: Error | null) => void): void;
}
