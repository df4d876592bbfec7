import type { Document } from 'bson';
import { bigint } from './command.ts';
import { CODES } from './document-error.ts';

/** Errors after which a client may try again elsewhere or later, with their names (mongo/base/error_codes.yml). */
const RETRIABLE: ReadonlyMap<number, string> = new Map([
  [6, 'HostUnreachable'],
  [7, 'HostNotFound'],
  [89, 'NetworkTimeout'],
  [91, 'ShutdownInProgress'],
  [134, 'ReadConcernMajorityNotAvailableYet'],
  [189, 'PrimarySteppedDown'],
  [262, 'ExceededTimeLimit'],
  [9001, 'SocketException'],
  [10107, 'NotWritablePrimary'],
  [11600, 'InterruptedAtShutdown'],
  [11602, 'InterruptedDueToReplStateChange'],
  [13435, 'NotPrimaryNoSecondaryOk'],
  [13436, 'NotPrimaryOrSecondary'],
]);

/** Errors after which a transaction may be begun anew: others were in its way. */
const TRANSIENT: ReadonlyMap<number, string> = new Map([
  [24, 'LockTimeout'],
  [112, 'WriteConflict'],
  [239, 'SnapshotTooOld'],
  [246, 'SnapshotUnavailable'],
  [267, 'PreparedTransactionInProgress'],
]);

const NO_SUCH_TRANSACTION = 251;

/** MongoDB's name of an error's code. */
export const nameOf = (code: number): string | undefined =>
  RETRIABLE.get(code) ??
  TRANSIENT.get(code) ??
  Object.entries(CODES).find(([, known]) => known === code)?.[0];

/**
 * Labels that a command's error carries, so that drivers know what to do about it.
 * @param concerned whether the error is that of a write concern: the command itself was done.
 */
export function labelsOf(name: string, body: Document, code: number, concerned = false): readonly string[] {
  const inTransaction = body['autocommit'] === false;
  const ends = name === 'commitTransaction' || name === 'abortTransaction';
  const labels: string[] = [];
  if (inTransaction && !concerned) {
    const isTransient = TRANSIENT.has(code) || code === NO_SUCH_TRANSACTION || (!ends && RETRIABLE.has(code));
    if (isTransient) labels.push('TransientTransactionError');
  }
  const isRetryable = bigint(body['txnNumber']) !== null && (!inTransaction || ends);
  if (isRetryable && RETRIABLE.has(code)) labels.push('RetryableWriteError');
  return labels;
}
