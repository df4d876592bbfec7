import type { Document } from 'bson';
import { DatabaseError, describeError, isPublicError, MagError } from '../../../errors.ts';
import { EngineUnreachable } from '../engine-unreachable.ts';

/** SQLSTATEs of MongoDB's codes, where both mean the same; what is not here is the client's mistake (22000). */
const STATES: Readonly<Record<number, string>> = {
  2: '22023',
  9: '22023',
  13: '42501',
  14: '22P02',
  24: '55P03',
  26: '42P01',
  28: '22023',
  40: '22023',
  50: '57014',
  52: '22023',
  59: '0A000',
  66: '22023',
  67: '0A000',
  72: '22023',
  73: '42602',
  112: '40001',
  115: '0A000',
  121: '23514',
  146: '53400',
  238: '0A000',
  251: '40001',
  263: '0A000',
  292: '53400',
  10334: '54000',
  11000: '23505',
  11600: '57P01',
  11601: '57014',
  11602: '57P01',
  17280: '54000',
};

/** What BSON cannot hold, or the driver does not send. */
const UNSENDABLE = /^(?:BSON|MongoInvalidArgumentError$|MongoAPIError$)/;
/** The server stops, or another one is primary now. */
const STEPPING_DOWN = new Set([91, 189, 10107, 11600, 11602, 13435, 13436]);

const codeOf = (error: unknown): number => {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'number' ? code : 0;
};

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

/** A socket's own error, such as EPIPE, which the driver passes on as it is where it was writing. */
function isSocketError(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' && /^E[A-Z]{3,}$/.test(code);
}

/** The driver's own errors have no code: the server cannot be reached, or went away, or its client was closed meanwhile. */
export const isConnectionLost = (error: unknown): boolean =>
  isSocketError(error) ||
  STEPPING_DOWN.has(codeOf(error)) ||
  (codeOf(error) === 0 && nameOf(error).startsWith('Mongo') && !UNSENDABLE.test(nameOf(error)));

/** The server knows another password, or nobody of that name. */
export const isRefused = (error: unknown): boolean => codeOf(error) === 18;

/** The whole transaction may be begun anew. */
export function isTransient(error: unknown): boolean {
  const has: unknown = error instanceof Error ? Reflect.get(error, 'hasErrorLabel') : undefined;
  return typeof has === 'function' && has.call(error, 'TransientTransactionError') === true;
}

/** `Key (email)=(a@b) already exists.`, as PostgreSQL says it. */
function duplicateDetails(reply: Document): string | null {
  const { keyValue } = reply;
  if (typeof keyValue !== 'object' || keyValue === null) return null;
  const entries = Object.entries(keyValue as Document);
  const names = entries.map(([name]) => (name === '_id' ? 'id' : name));
  const values = entries.map(([, value]) => String(value));
  return `Key (${names.join(', ')})=(${values.join(', ')}) already exists.`;
}

/** What the server said of a statement, under the code that clients of the SQL engines know. */
export function serverError(code: number, message: string, reply: Document, cause?: unknown): DatabaseError {
  const state = STATES[code] ?? '22000';
  if (state !== '23505') return new DatabaseError(state, message, { cause });
  const { keyPattern } = reply;
  const fields = typeof keyPattern === 'object' && keyPattern !== null ? Object.keys(keyPattern) : [];
  const columns = fields.map((name) => (name === '_id' ? 'id' : name)).join('_');
  return new DatabaseError('23505', `duplicate key value violates unique constraint "${columns}"`, {
    cause,
    details: duplicateDetails(reply),
  });
}

/** Any failure as one of ours. */
export function publicError(error: unknown): Error {
  if (isPublicError(error)) return error;
  if (nameOf(error) === 'AbortError')
    return new DatabaseError('57014', 'canceling statement due to user request', { cause: error });
  if (nameOf(error) === 'MongoServerSelectionError')
    return new EngineUnreachable('mongodb', 'MongoDB cannot be reached', error);
  // The driver's own words name the server's address, which is no tenant's affair: they are the cause, and in the log.
  if (isConnectionLost(error) || isRefused(error)) {
    const why = isRefused(error)
      ? 'MongoDB does not take connections of the project right now'
      : 'the connection to MongoDB was lost';
    return new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'mongodb', why }, { cause: error });
  }
  const code = codeOf(error);
  if (code === 0 && UNSENDABLE.test(nameOf(error)))
    return new DatabaseError('22023', `MongoDB cannot take this: ${describeError(error)}`, { cause: error });
  if (code === 0) return error instanceof Error ? error : new Error(String(error));
  const response: unknown = Reflect.get(error as Error, 'errorResponse'); // it has a code
  const reply = typeof response === 'object' && response !== null ? response : {};
  return serverError(code, error instanceof Error ? error.message : 'failed', reply, error);
}
