import { DatabaseError, isPublicError, MagError, type PublicError } from '../../../errors.ts';
import type { Principal } from '../../../protocol/principal.ts';
import { RAISED, raisedError } from './raised-error.ts';

/** What a check that a written row violates makes PostgreSQL fail with; see dialect-postgres.ts. */
export const CHECK_MARK = 'magmobo:check';

/** What a write fails with that was to touch one row and touched more; the number of rows follows. */
export const SINGLE_MARK = 'magmobo:rows:';

/** What a write fails with that touched more rows than it may; the number of rows follows. */
export const AFFECTED_MARK = 'magmobo:affected:';

/** An error as the server sent it. */
export interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
  readonly detail?: string;
  readonly hint?: string;
}

export const isServerError = (error: unknown): error is ServerError =>
  error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string';

const TOO_MANY_CONNECTIONS = '53300';

/** The server, or the role, has as many connections as it may; also where one of ours stands for that error. */
export const isNoRoom = (error: unknown): boolean =>
  isServerError(error)
    ? error.code === TOO_MANY_CONNECTIONS
    : isPublicError(error) && error.cause !== undefined && isNoRoom(error.cause);

/**
 * Another password, or a setting of the role's by which no session of it begins (a library that there is not): what a
 * tenant can do to its own role, and the board sets anew.
 */
const REFUSALS = new Set(['28P01', '58P01']);

/** Of an error met while connecting: the server lets the role in no more. */
export const isRefused = (error: unknown): boolean => isServerError(error) && REFUSALS.has(error.code);

/**
 * Of an error met while connecting: whether nobody could have connected. No answer, or one from a server that starts
 * or stops; a server that turns one role away answers others.
 */
export const isUnreachable = (error: unknown): boolean =>
  isServerError(error) ? error.code === '57P03' : !isPublicError(error);

/** SQLSTATEs by which a server says that it goes down, comes up, or has no room. */
const UNAVAILABLE = new Set([
  '57P01',
  '57P02',
  '57P03',
  '57P05',
  TOO_MANY_CONNECTIONS,
  '3D000',
  '28P01',
  '28000',
]);

/** Parameters that do not fit the statement; the server calls it a violation of the protocol, but it is the caller's. */
const PARAMETERS = '08P01';

/**
 * Whether the server ended the session over this. A statement's own failure is an ERROR and leaves it open, whatever
 * code it bears: CREATE DATABASE with an unknown template is 3D000, and a function may raise any.
 */
const endsSession = (error: ServerError): boolean =>
  error.severity !== 'ERROR' && UNAVAILABLE.has(error.code);

/** Whether the error means that the connection, not the statement, failed: another one may work. */
export const isConnectionLost = (error: unknown): boolean =>
  isServerError(error)
    ? endsSession(error) ||
      (error.severity !== 'ERROR' && error.code.startsWith('08') && error.code !== PARAMETERS)
    : !isPublicError(error);

/** Whether what we know of the schema, or a prepared plan, may be out of date. */
export const isSchemaStale = (error: unknown): boolean =>
  isServerError(error) &&
  (['42P01', '42703', '42P10', '42804', '26000'].includes(error.code) ||
    (error.code === '0A000' && error.message.includes('cached plan')));

/** The driver's error as one of ours. What is no server's error is a lost connection. */
export function publicError(error: unknown): PublicError {
  if (isPublicError(error)) return error;
  if (!isServerError(error)) {
    const why = 'the connection to PostgreSQL was lost';
    return new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'postgres', why }, { cause: error });
  }
  if (endsSession(error)) {
    const why = 'PostgreSQL does not take connections right now';
    return new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'postgres', why }, { cause: error });
  }
  if (error.code === RAISED) return raisedError(error);
  // `undefined_parameter` is what the same mistake is called without values.
  return new DatabaseError(error.code === PARAMETERS ? '42P02' : error.code, error.message, {
    cause: error,
    details: error.detail ?? null,
    hint: error.hint ?? null,
  });
}

/** Constraints whose violation the server details with the whole row. */
const WITH_ROW = new Set(['23502', '23514']);

/** Without the row that the server shows: who may not read a table must not read it in the details of an error. */
export function withoutRow(error: PublicError): PublicError {
  if (!(error instanceof DatabaseError) || error.details === null || !WITH_ROW.has(error.code)) return error;
  return new DatabaseError(error.code, error.message, { cause: error.cause, hint: error.hint });
}

function rowsAfter(mark: string, error: unknown): number | null {
  if (!isServerError(error) || error.code !== '22P02') return null;
  const [, rows] = new RegExp(`"${mark}(\\d+)"`).exec(error.message) ?? [];
  return rows === undefined ? null : Number(rows);
}

/** How many rows a write touched that was to touch one; null where the error is another one. */
export const tooManyRows = (error: unknown): number | null => rowsAfter(SINGLE_MARK, error);

/** How many rows a write touched that was to touch fewer; null where the error is another one. */
export const tooManyAffected = (error: unknown): number | null => rowsAfter(AFFECTED_MARK, error);

export const isCheckViolation = (error: unknown): boolean =>
  isServerError(error) && error.code === '22P02' && error.message.includes(CHECK_MARK);

/** A privilege that the request's role does not have, or a row that its policies do not let it write. */
export const isForbidden = (error: unknown): error is ServerError =>
  isServerError(error) && error.code === '42501';

/** As PostgREST answers it: who has not signed in may yet, so that is a 401. */
export const forbidden = (error: ServerError, { role }: Principal): DatabaseError =>
  new DatabaseError(error.code, error.message, {
    cause: error,
    details: error.detail ?? null,
    hint: error.hint ?? null,
    ...(role === 'anon' ? { status: 401 } : {}),
  });

/** A table or column that is not in the schema as we know it. */
export const isUnknownName = (error: unknown): boolean =>
  isPublicError(error) && (error.code === '42703' || error.code.startsWith('PGRST20'));
