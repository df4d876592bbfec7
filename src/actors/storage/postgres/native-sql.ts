import { DatabaseError } from '../../../errors.ts';
import type { ExecuteContext, ScriptTransaction, SqlResult } from '../engine.ts';
import { endsTransaction, notUnderKey } from '../script-refusal.ts';
import type { PgConnection } from './connection.ts';
import { isServerError, publicError } from './failures.ts';
import { OWN_ROLE, PostgresIdempotency, type RecordsAccess } from './idempotency.ts';
import { NativeStatement } from './native-statement.ts';
import { refusal } from './results.ts';
import { transactionControl } from './script.ts';
import type { PostgresSession, RunStatement } from './session.ts';
import { TypeNames } from './type-names.ts';
import { parameterText } from './values.ts';
import { TextStatement } from './wire.ts';

const MAX_PARAMETERS = 65_535;

/** Of a statement that the server runs in no transaction of others, and of a procedure that ends its caller's. */
const NOT_INSIDE: ReadonlySet<string> = new Set(['25001', '2D000']);

interface NativeSqlParts {
  readonly session: PostgresSession;
  readonly records: RecordsAccess;
  /** Told after what may have changed the schema. */
  readonly changed: () => void;
}

function statementOf(statement: string, params: readonly unknown[]): NativeStatement {
  // Text on the wire ends at a NUL: what comes after it would be lost unseen.
  if (statement.includes('\0')) throw new DatabaseError('22021', 'The statement holds a NUL character');
  if (params.length > MAX_PARAMETERS)
    throw new DatabaseError('54023', `More than ${MAX_PARAMETERS} parameters`);
  return new NativeStatement(statement, params.map(parameterText));
}

/** A tenant's own SQL, by itself or in a transaction with its idempotency record. */
export class NativeSql {
  readonly #parts: NativeSqlParts;
  readonly #types = new TypeNames();

  constructor(parts: NativeSqlParts) {
    this.#parts = parts;
  }

  async run(statement: string, params: readonly unknown[], context: ExecuteContext): Promise<SqlResult> {
    const native = statementOf(statement, params);
    try {
      await this.#parts.session.runNative(
        native,
        context,
        (cancel) => {
          native.onRefused = cancel;
        },
        (connection) => this.#types.learn(native.unknownTypes, connection),
      );
    } catch (error) {
      throw refusal(native) ?? publicError(error);
    } finally {
      this.#noteChange(native);
    }
    return this.#resultOf(native);
  }

  /** Scripts and their record, all or nothing. */
  async transaction<Result>(
    work: (transaction: ScriptTransaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    const { session, records } = this.#parts;
    const ran: NativeStatement[] = [];
    try {
      return await session.scripts(context, (run, connection) =>
        work({
          sql: async (statement, params) =>
            this.#within(run, connection, statementOf(statement, params), ran),
          idempotency: new PostgresIdempotency(async (sql, values) => {
            const asked = new TextStatement(sql, values, '', OWN_ROLE);
            await run(asked);
            return asked.rows;
          }, records),
        }),
      );
    } catch (error) {
      throw isServerError(error) ? publicError(error) : error;
    } finally {
      for (const native of ran) this.#noteChange(native);
    }
  }

  async #within(
    run: RunStatement,
    connection: PgConnection,
    native: NativeStatement,
    ran: NativeStatement[],
  ): Promise<SqlResult> {
    const control = transactionControl(native.text);
    if (control !== null) throw endsTransaction(control);
    ran.push(native);
    try {
      await run(native, (cancel) => {
        native.onRefused = cancel;
      });
    } catch (error) {
      if (isServerError(error) && NOT_INSIDE.has(error.code))
        throw notUnderKey(`what cannot be part of a transaction (${error.message})`, error);
      throw refusal(native) ?? publicError(error);
    }
    // Before its end: what is remembered of the result has its types, too.
    await this.#types.learn(native.unknownTypes, connection);
    return this.#resultOf(native);
  }

  #resultOf(native: NativeStatement): SqlResult {
    const refused = refusal(native);
    if (refused !== null) throw refused;
    const { command, rowCount } = native;
    const fields = JSON.stringify(native.fields((oid) => this.#types.nameOf(oid)));
    const json = `{"rows":${native.rows},"fields":${fields},"rowCount":${rowCount},"command":${JSON.stringify(command)}}`;
    return { json, rowCount, command };
  }

  #noteChange({ changedSchema }: NativeStatement): void {
    if (!changedSchema) return;
    this.#parts.changed();
    this.#types.forget();
  }
}
