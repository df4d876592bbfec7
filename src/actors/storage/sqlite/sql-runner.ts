import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import { afterSchemaStatement, beforeSchemaStatement, isCaptured } from '../../feed/sqlite/capture.ts';
import type { SqlField, SqlResult } from '../engine.ts';
import { endsTransaction, notUnderKey } from '../script-refusal.ts';
import { isInt64 } from './binding.ts';
import { type ColumnKind, columnKind } from './column-kind.ts';
import type { TenantConnection } from './connection.ts';
import { INTERNAL_PREFIX } from './sqlite-schema.ts';
import { onlyReads, type SqlStatement, splitStatements } from './statement-splitter.ts';

/** What node:sqlite gives when it reads integers as BigInt. */
type Cell = string | number | bigint | Uint8Array | null;

const SCHEMA_WORDS = new Set(['ALTER', 'CREATE', 'DROP']);
/** Inside the transaction, which it leaves open. */
const SAVEPOINT = /^(?:SAVEPOINT|RELEASE|ROLLBACK(?:\s+TRANSACTION)?\s+TO)\b/i;
const TRANSACTION_WORDS = new Set(['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE']);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A cell as JSON text: integers exact, blobs as `\x…`, declared booleans and JSON as what they mean. */
function cellJson(cell: Cell, kind: ColumnKind): string {
  if (cell === null) return 'null';
  if (typeof cell === 'bigint') {
    if (kind === 'boolean' && (cell === 0n || cell === 1n)) return cell === 1n ? 'true' : 'false';
    return cell.toString();
  }
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : JSON.stringify(String(cell));
  if (typeof cell === 'string') return kind === 'json' && isJson(cell) ? cell : JSON.stringify(cell);
  return JSON.stringify(`\\x${Buffer.from(cell).toString('hex')}`);
}

const storageClass = (cell: Cell | undefined): string => {
  if (typeof cell === 'bigint') return 'integer';
  if (typeof cell === 'number') return 'real';
  if (typeof cell === 'string') return 'text';
  return cell === null || cell === undefined ? 'null' : 'blob';
};

/** A parameter of the caller as SQLite takes it. Throws 22023 for what it cannot hold. */
function parameter(value: unknown): SQLInputValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  // A number is bound as REAL; an integer without a column's affinity must stay one.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  // Beyond 64 bits SQLite has no integers: its own parser makes such a literal a REAL too.
  if (typeof value === 'bigint') return isInt64(value) ? value : Number(value);
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  if (typeof value === 'object') return stringifyExact(value);
  throw new DatabaseError('22023', `a parameter of type ${typeof value} cannot be stored`);
}

/** Arguments of StatementSync for one statement: by position, or as `$1` named ones. */
function argumentsOf(statement: SqlStatement, params: readonly unknown[]): readonly SQLInputValue[] {
  return statement.dollarParams ? [] : params.map(parameter);
}

const namedArguments = (params: readonly unknown[]): Record<string, SQLInputValue> =>
  Object.fromEntries(params.map((value, index) => [`$${index + 1}`, parameter(value)]));

/** SQLite takes NULL for a value that it was not given. Throws 42P02, as PostgreSQL is told too. */
function requireParameters({ parameters }: SqlStatement, given: number): void {
  if (parameters === null)
    throw new DatabaseError('42P02', 'parameters are named $1, $2, … or are all question marks');
  if (parameters !== given)
    throw new DatabaseError('42P02', `the statement takes ${parameters} parameters, and was given ${given}`);
}

class RowsWriter {
  readonly #names: readonly string[];
  readonly #kinds: readonly ColumnKind[];
  readonly #classes: string[];
  readonly #chunks: string[] = [];
  #bytes = 0;
  count = 0;

  constructor(columns: ReturnType<StatementSync['columns']>) {
    this.#names = columns.map(({ name }) => JSON.stringify(name));
    this.#kinds = columns.map(({ type }) => columnKind(type ?? ''));
    this.#classes = columns.map(({ type }) => (type ?? '').toLowerCase());
  }

  add(cells: readonly Cell[]): void {
    let row = '{';
    for (const [index, cell] of cells.entries()) {
      if (this.#classes[index] === '' && cell !== null) this.#classes[index] = storageClass(cell);
      row += `${index === 0 ? '' : ','}${this.#names[index]}:${cellJson(cell, this.#kinds[index] ?? 'any')}`;
    }
    this.#chunks.push(`${row}}`);
    this.count += 1;
    this.#bytes += row.length + 2;
    if (this.count > LIMITS.sqlRows)
      throw new MagError('MAG_RESULT_TOO_LARGE', { limit: `${LIMITS.sqlRows} rows` });
    if (this.#bytes > LIMITS.resultBytes) throw new MagError('MAG_RESULT_TOO_LARGE', { limit: '64 MiB' });
  }

  fields(): readonly SqlField[] {
    return this.#names.map((name, index) => ({
      // The name was quoted by JSON.stringify above.
      name: String(JSON.parse(name)),
      type: this.#classes[index] || 'null',
    }));
  }

  json(): string {
    return `[${this.#chunks.join(',')}]`;
  }
}

function runStatement(
  connection: TenantConnection,
  statement: SqlStatement,
  params: readonly unknown[],
): SqlResult {
  // Beside the authorizer, which is not told what a table is renamed to, and which a CTE of the right name deceives:
  // SQLite gives it the CTE's name where it gives a trigger's. Such text as data goes in as a parameter.
  if (statement.namesInternal)
    throw new MagError('MAG_STATEMENT_FORBIDDEN', {
      why: `the prefix ${INTERNAL_PREFIX} belongs to the board`,
    });
  requireParameters(statement, params.length);
  connection.confinement.begin();
  const prepared = connection.database.prepare(statement.text);
  prepared.setAllowUnknownNamedParameters(true);
  // Also for run(): it throws after the write where a number cannot hold the last rowid.
  prepared.setReadBigInts(true);
  const positional = argumentsOf(statement, params);
  const named = statement.dollarParams ? namedArguments(params) : {};
  const columns = prepared.columns();
  const command = statement.keyword;
  if (columns.length === 0) {
    const { changes } = prepared.run(named, ...positional);
    const rowCount = statement.mayWrite ? Number(changes) : 0;
    return { json: sqlJson('[]', [], rowCount, command), rowCount, command };
  }
  prepared.setReturnArrays(true);
  const rows = new RowsWriter(columns);
  // In array mode node:sqlite gives arrays of cells, which its types do not say.
  const found = prepared.iterate(named, ...positional) as unknown as Iterable<readonly Cell[]>;
  for (const row of found) rows.add(row);
  return { json: sqlJson(rows.json(), rows.fields(), rows.count, command), rowCount: rows.count, command };
}

const sqlJson = (rows: string, fields: readonly SqlField[], rowCount: number, command: string): string =>
  `{"rows":${rows},"fields":${JSON.stringify(fields)},"rowCount":${rowCount},"command":${JSON.stringify(command)}}`;

/**
 * Runs native SQL on a fresh connection. Several statements (only without parameters) run in one transaction unless
 * the script has transaction statements of its own, and the last one's result counts.
 * Throws 42601 for an empty script or several statements with parameters, MAG_RESULT_TOO_LARGE, 25P01 where a
 * script leaves its transaction open, and node:sqlite's errors.
 */
export function runSql(connection: TenantConnection, script: string, params: readonly unknown[]): SqlResult {
  const { database } = connection;
  const parsed = parseScript(connection, script, params);
  const { statements, followed, only } = parsed;
  const ownTransaction = statements.some(({ keyword }) => TRANSACTION_WORDS.has(keyword));
  const wrap = (statements.length > 1 || followed) && !ownTransaction;
  try {
    if (wrap) database.exec(onlyReads(statements) ? 'BEGIN' : 'BEGIN IMMEDIATE');
    const result = runEach(connection, parsed, params);
    if (wrap) database.exec('COMMIT');
    else if (database.isTransaction)
      throw new DatabaseError('25P01', 'the script left its transaction open; it was rolled back');
    return result ?? { json: sqlJson('[]', [], 0, only.keyword), rowCount: 0, command: only.keyword };
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/**
 * The same inside the transaction that is open on the connection, and stays so. Throws MAG_IDEMPOTENCY_KEY_INVALID for
 * what would begin or end one, or cannot be part of one; else as `runSql`.
 */
export function runSqlInside(
  connection: TenantConnection,
  script: string,
  params: readonly unknown[],
): SqlResult {
  const parsed = parseScript(connection, script, params);
  const control = parsed.statements.find(
    ({ keyword, text }) => TRANSACTION_WORDS.has(keyword) && !SAVEPOINT.test(text.slice(0, 200)),
  );
  if (control !== undefined) throw endsTransaction(control.keyword);
  if (parsed.statements.some(({ keyword }) => keyword === 'VACUUM'))
    throw notUnderKey('what cannot be part of a transaction (VACUUM)');
  const result = runEach(connection, parsed, params);
  // An ON CONFLICT ROLLBACK, or a trigger's.
  if (!connection.database.isTransaction)
    throw new DatabaseError('25P02', 'the transaction was rolled back by one of its statements');
  const { keyword } = parsed.only;
  return result ?? { json: sqlJson('[]', [], 0, keyword), rowCount: 0, command: keyword };
}

interface Script {
  readonly statements: readonly SqlStatement[];
  readonly only: SqlStatement;
  /** Its definitions change a project whose changes are followed. */
  readonly followed: boolean;
}

function parseScript(connection: TenantConnection, script: string, params: readonly unknown[]): Script {
  // SQLite's text ends at a NUL: what comes after it would be lost unseen.
  if (script.includes('\0')) throw new DatabaseError('22021', 'The statement holds a NUL character');
  const statements = splitStatements(script);
  const [only] = statements;
  if (only === undefined) throw new DatabaseError('42601', 'the statement is empty');
  if (statements.length > 1 && params.length > 0)
    throw new DatabaseError('42601', 'cannot run several statements with parameters');
  const { database, confinement } = connection;
  // A project whose changes are followed has triggers, which must change with its tables, in one transaction.
  const changesSchema = statements.some(({ keyword }) => SCHEMA_WORDS.has(keyword));
  const followed = changesSchema && confinement.asBoard(() => isCaptured(database));
  return { statements, only, followed };
}

function runEach(
  connection: TenantConnection,
  { statements, followed }: Script,
  params: readonly unknown[],
): SqlResult | null {
  const { database, confinement } = connection;
  let result: SqlResult | null = null;
  for (const statement of statements) {
    const schema = followed && SCHEMA_WORDS.has(statement.keyword);
    if (schema) confinement.asBoard(() => beforeSchemaStatement(database, statement.text));
    result = runStatement(connection, statement, params);
    if (schema) confinement.asBoard(() => afterSchemaStatement(database));
  }
  return result;
}
