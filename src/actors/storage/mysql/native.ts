import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { SqlResult } from '../engine.ts';
import { endsTransaction, notUnderKey } from '../script-refusal.ts';
import type { BoundValue } from './binding.ts';
import { encoderOf, typeName } from './cells.ts';
import type { RowSink } from './connection.ts';
import type { DriverField, Header } from './driver.ts';
import { isUnpreparable } from './failures.ts';
import {
  changesSchema,
  commandOf,
  controlsTransaction,
  mayGiveRows,
  type ScriptStatement,
  splitScript,
  staysInside,
} from './script.ts';
import { COMMIT, resultLimit, START, type Work } from './session.ts';

interface Column {
  readonly key: string;
  readonly encode: (value: unknown) => string;
}

/** Rows of a native statement; they become JSON as they arrive, bounded by number and size. */
class NativeRows implements RowSink {
  readonly #refused: () => void;
  #fields: readonly DriverField[] = [];
  #columns: readonly Column[] = [];
  #rows: string[] = [];
  #bytes = 0;
  refused = false;

  constructor(refused: () => void) {
    this.#refused = refused;
  }

  fields(fields: readonly DriverField[]): void {
    this.#fields = fields;
    this.#columns = fields.map((field) => ({ key: JSON.stringify(field.name), encode: encoderOf(field) }));
    this.#rows = [];
    this.#bytes = 0;
  }

  row(cells: readonly unknown[]): void {
    if (this.refused) return;
    let row = '';
    for (const [at, { key, encode }] of this.#columns.entries()) {
      const cell = cells[at];
      row += `${at === 0 ? '' : ','}${key}:${cell === null || cell === undefined ? 'null' : encode(cell)}`;
    }
    this.#bytes += row.length + 3;
    this.#rows.push(`{${row}}`);
    if (this.#rows.length <= LIMITS.sqlRows && this.#bytes <= LIMITS.resultBytes) return;
    this.refused = true;
    this.#rows = [];
    this.#refused();
  }

  result(statement: ScriptStatement, header: Header | null): SqlResult {
    const command = commandOf(statement);
    const rowCount = this.#columns.length > 0 ? this.#rows.length : (header?.affectedRows ?? 0);
    const fields = JSON.stringify(this.#fields.map((field) => ({ name: field.name, type: typeName(field) })));
    const json = `{"rows":[${this.#rows.join(',')}],"fields":${fields},"rowCount":${rowCount},"command":${JSON.stringify(command)}}`;
    return { json, rowCount, command };
  }
}

const NOTHING: SqlResult = {
  json: '{"rows":[],"fields":[],"rowCount":0,"command":""}',
  rowCount: 0,
  command: '',
};

/** A tenant's own SQL: with parameters one statement, without any number of them; the last one's result is the reply. */
export class NativeScript {
  readonly #statements: readonly ScriptStatement[];
  readonly #values: readonly BoundValue[];

  /** Throws where the statement is none. */
  constructor(script: string, values: readonly BoundValue[]) {
    this.#statements = splitScript(script);
    this.#values = values;
    if (values.length > 0 && this.#statements.length > 1)
      throw new DatabaseError('42601', 'parameters can be given to one statement, and not to several');
    // Too many would be bound to the wrong places.
    const taken = this.#statements.reduce((sum, { parameters }) => sum + parameters, 0);
    if (taken !== values.length)
      throw new DatabaseError(
        '42P02',
        `the statement takes ${taken} parameters, and was given ${values.length}`,
      );
  }

  /** Whether one of the statements may change the schema. */
  get changesSchema(): boolean {
    return this.#statements.some(changesSchema);
  }

  /**
   * Several statements are one transaction, unless they say themselves where one begins and ends; DDL commits what came
   * before it, as always in MySQL.
   */
  async run(work: Work): Promise<SqlResult> {
    const { connection, run, tooLarge } = work;
    const own = this.#statements.length > 1 && !this.#statements.some(controlsTransaction);
    let result = NOTHING;
    for (const statement of this.#statements) {
      if (own && !connection.inTransaction) await run(START, undefined, 'text');
      const rows = new NativeRows(tooLarge);
      const header = await this.#runOne(work, statement, rows);
      if (rows.refused) throw new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit });
      result = rows.result(statement, header);
    }
    if (!connection.inTransaction) return result;
    if (own) {
      await run(COMMIT, undefined, 'text');
      return result;
    }
    const why = 'it left a transaction open, which was rolled back; send BEGIN and COMMIT in one request';
    throw new MagError('MAG_STATEMENT_FORBIDDEN', { why });
  }

  /** The same inside a transaction of the caller's. Throws MAG_IDEMPOTENCY_KEY_INVALID for what would end it. */
  async runInside(work: Work): Promise<SqlResult> {
    const ending = this.#statements.find((statement) => !staysInside(statement));
    if (ending !== undefined && controlsTransaction(ending))
      throw endsTransaction(ending.words.slice(0, 2).join(' '));
    if (ending !== undefined)
      throw notUnderKey(
        `${commandOf(ending)}, which ends the transaction that it is in on MySQL, or may; only reads and writes of rows can bear one`,
      );
    let result = NOTHING;
    for (const statement of this.#statements) {
      const rows = new NativeRows(work.tooLarge);
      const header = await this.#runOne(work, statement, rows);
      if (rows.refused) throw new MagError('MAG_RESULT_TOO_LARGE', { limit: resultLimit });
      result = rows.result(statement, header);
    }
    return result;
  }

  async #runOne({ run }: Work, statement: ScriptStatement, rows: NativeRows): Promise<Header | null> {
    const bound = { sql: statement.text, values: this.#values };
    if (this.#values.length === 0 && !mayGiveRows(statement)) return run(bound, rows, 'text');
    try {
      return await run(bound, rows, 'once');
    } catch (error) {
      if (this.#values.length > 0 || !isUnpreparable(error)) throw error;
      return run(bound, rows, 'text');
    }
  }
}
