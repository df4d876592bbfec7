import { DatabaseError, isPublicError, MagError, type PublicError } from '../../../errors.ts';

/** What node:sqlite throws: `errcode` is SQLite's extended result code. */
interface SqliteFailure extends Error {
  readonly errcode: number;
}

const isSqliteFailure = (error: unknown): error is SqliteFailure =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';

const primaryCode = (error: SqliteFailure): number => error.errcode & 0xff;

/** Another connection holds the write lock; the statement did nothing. */
export const isBusy = (error: unknown): boolean => isSqliteFailure(error) && primaryCode(error) === 5;

/** A value or row is longer than this connection may touch; the statement did nothing. */
export const isTooBig = (error: unknown): boolean => isSqliteFailure(error) && primaryCode(error) === 18;

/** The statement was compiled against a schema that is no more: a table, column or index went away. */
export const isStaleSchema = (error: unknown): boolean =>
  isSqliteFailure(error) &&
  (primaryCode(error) === 17 ||
    (error.errcode === 1 && /^no such (table|column|index)|has no column/.test(error.message)));

/** json_object met a blob in a column that declares none. */
export const isUnexpectedBlob = (error: unknown): boolean =>
  isSqliteFailure(error) && error.message.includes('JSON cannot hold BLOB values');

/** Extended codes of constraint failures. */
const CONSTRAINTS: Readonly<Record<number, string>> = {
  275: '23514',
  787: '23503',
  1043: '23000',
  1299: '23502',
  1555: '23505',
  1811: 'P0001',
  2067: '23505',
  2579: '23505',
  3091: '22P02',
};

/** Primary codes; what is not here is XX000. Full and unwritable disks are for the operator, so they say so. */
const STATES: Readonly<Record<number, string>> = {
  3: '42501',
  7: '53200',
  8: '25006',
  9: '57014',
  10: '58030',
  11: 'XX001',
  13: '53100',
  14: '58030',
  18: '54000',
  19: '23000',
  20: '22P02',
  25: '22023',
  26: 'XX001',
};

/** SQLite reports everything about the text of a statement as code 1; only its message says what. */
const MESSAGES: readonly (readonly [RegExp, string])[] = [
  [/^no such table/, '42P01'],
  [/^no such column|has no column named/, '42703'],
  [/syntax error|^incomplete input|^unrecognized token/, '42601'],
  [/^no such function|^wrong number of arguments/, '42883'],
  [/^ambiguous column name/, '42702'],
  [/ON CONFLICT clause does not match/, '42P10'],
  [/(table|index|view|trigger) .* already exists/, '42P07'],
  [/^duplicate column name/, '42701'],
  [/values for \d+ columns|values were supplied/, '42601'],
  [/^no such (index|view|trigger|module|collation)/, '42704'],
  [/^malformed JSON/, '22P02'],
  [/^integer overflow/, '22003'],
  [/cannot start a transaction within|no transaction is active/, '25001'],
  [/^cannot (UPDATE|INSERT into) generated column/, '428C9'],
  [/^cannot modify .* because it is a view/, '55000'],
  [/may not be (modified|dropped|altered|indexed)|cannot (modify|UPDATE|INSERT)/, '42501'],
];

/**
 * What callers may see of a failure of node:sqlite: SQLSTATEs as PostgreSQL names them, so that clients need to know
 * one set. `refusal` is what the authorizer said, where it refused.
 */
export function toPublicError(error: unknown, refusal: string | null = null): PublicError {
  if (isPublicError(error)) return error;
  if (!isSqliteFailure(error)) {
    // node:sqlite rejects values it cannot bind before SQLite sees them.
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ERR_INVALID_ARG_TYPE' || code === 'ERR_INVALID_ARG_VALUE')
      return new DatabaseError('22023', 'a parameter has a type the database cannot store', { cause: error });
    return new DatabaseError('XX000', 'internal error', { cause: error });
  }
  const primary = primaryCode(error);
  if (primary === 23 || (refusal !== null && primary === 1))
    return new MagError('MAG_STATEMENT_FORBIDDEN', { why: refusal ?? error.message }, { cause: error });
  if (primary === 5 || primary === 6)
    return new MagError('MAG_OVERLOADED', { what: 'another writer holds the database' }, { cause: error });
  const state =
    CONSTRAINTS[error.errcode] ??
    (primary === 1 ? MESSAGES.find(([pattern]) => pattern.test(error.message))?.[1] : undefined) ??
    STATES[primary] ??
    (primary === 1 ? '42000' : 'XX000');
  return new DatabaseError(state, messageOf(state, error.message), { cause: error });
}

/** `NOT NULL constraint failed: t.c`; where a name has a dot itself, nothing says which one is between them. */
const NOT_NULL = /^NOT NULL constraint failed: ([^.]+)\.([^.]+)$/;

/**
 * SQLite's words, in front of them PostgreSQL's where clients look for those. The name of a key that refuses a row is not
 * among them: SQLite tells its columns alone.
 */
function messageOf(state: string, message: string): string {
  if (state === '23505') return `duplicate key value violates unique constraint (${message})`;
  if (state === '23502') {
    const [, table, column] = NOT_NULL.exec(message) ?? [];
    if (column === undefined) return `null value violates not-null constraint (${message})`;
    return `null value in column "${column}" of relation "${table}" violates not-null constraint`;
  }
  if (state === '23503') return `violates foreign key constraint (${message})`;
  if (state === '53100') return `the disk is full (${message})`;
  if (state === '25006') return `the database is read-only (${message})`;
  return message;
}
