import {
  MongoBulkWriteError,
  MongoClientBulkWriteError,
  MongoError,
  MongoOperationTimeoutError,
  MongoServerError,
} from 'mongodb';
import { type Bag, bag, isBag, list, require, strings } from './bag.ts';
import { type Known, match } from './matching.ts';
import { clientResult } from './operations.ts';

/** Whether a server's reply is behind it: a network's or a driver's own failures have none. */
const isFromServer = (error: unknown): boolean =>
  error instanceof MongoServerError &&
  !(
    error instanceof MongoClientBulkWriteError &&
    error.cause !== undefined &&
    !(error.cause instanceof MongoServerError)
  );

/** The messages, with those of each write that failed. */
function messageOf(error: unknown): string {
  const own = error instanceof Error ? error.message : String(error);
  if (!(error instanceof MongoBulkWriteError)) return own;
  return [own, ...list(error.writeErrors).map((each) => String(bag(each)['errmsg']))].join(' ');
}

/** A client's bulk write wraps what the server answered. */
const causeOf = (error: unknown): unknown =>
  error instanceof MongoClientBulkWriteError && error.cause !== undefined ? error.cause : error;

function codeOf(given: unknown): unknown {
  const error = causeOf(given);
  if (!(error instanceof MongoServerError)) return undefined;
  return error.code ?? bag(error.errorResponse)['code'];
}

function codeNameOf(given: unknown): unknown {
  const error = causeOf(given);
  if (error instanceof MongoBulkWriteError) {
    const concern = bag(error.result.getWriteConcernError());
    return bag(concern['err'])['codeName'] ?? concern['codeName'] ?? error.codeName;
  }
  if (!(error instanceof MongoServerError)) return undefined;
  return error.codeName ?? bag(bag(error.result)['writeConcernError'])['codeName'];
}

function expectClientBulkWriteErrors(wanted: Bag, error: unknown, known: Known): void {
  const { writeErrors, writeConcernErrors } = wanted;
  if (writeErrors === undefined && writeConcernErrors === undefined) return;
  require(error instanceof MongoClientBulkWriteError, 'the error is none of a client’s bulk write');
  const found = Object.fromEntries(
    [...error.writeErrors].map(([index, each]) => [String(index), { ...each }]),
  );
  if (isBag(writeErrors)) {
    require(Object.keys(found).join() ===
      Object.keys(writeErrors).join(), `other writes failed: ${Object.keys(found)}`);
    for (const [index, each] of Object.entries(writeErrors)) match(each, found[index], known);
  }
  if (writeConcernErrors !== undefined) match(writeConcernErrors, error.writeConcernErrors, known);
}

function expectLabels(wanted: Bag, error: unknown): void {
  const labels = error instanceof MongoError ? error.errorLabels : [];
  for (const label of strings(wanted['errorLabelsContain']))
    require(labels.includes(label), `the label ${label} is missing: ${messageOf(error)}`);
  for (const label of strings(wanted['errorLabelsOmit']))
    require(!labels.includes(label), `the label ${label} is there: ${messageOf(error)}`);
}

/** Holds an error against what a test expects of it. Throws Mismatch. */
export function expectError(wanted: Bag, error: unknown, known: Known): void {
  const {
    isClientError,
    isTimeoutError,
    errorContains,
    errorCode,
    errorCodeName,
    errorResponse,
    expectResult,
  } = wanted;
  const message = messageOf(error);
  if (isClientError !== undefined)
    require(isFromServer(error) !== isClientError, `the error’s origin: ${message}`);
  if (isTimeoutError !== undefined)
    require(error instanceof MongoOperationTimeoutError === isTimeoutError, `a timeout or not: ${message}`);
  if (errorContains !== undefined)
    require(message
      .toLowerCase()
      .includes(String(errorContains).toLowerCase()), `the message is: ${message}`);
  if (errorCode !== undefined)
    require(codeOf(error) === errorCode, `the code is ${String(codeOf(error))}: ${message}`);
  if (errorCodeName !== undefined)
    require(String(codeNameOf(error)).toLowerCase() ===
      String(errorCodeName).toLowerCase(), `the code’s name is ${String(codeNameOf(error))}: ${message}`);
  expectLabels(wanted, error);
  expectClientBulkWriteErrors(wanted, error, known);
  if (errorResponse !== undefined) match(errorResponse, responseOf(error), known);
  if (Object.hasOwn(wanted, 'expectResult')) match(expectResult, resultOf(error), known);
}

function responseOf(given: unknown): unknown {
  const error = causeOf(given);
  return error instanceof MongoServerError ? (error.errorResponse ?? error) : undefined;
}

/** Of nothing that was done this driver has a result of zeros, where the specification has none. */
const isNothing = (result: object): boolean => Object.values(result).every((value) => !Number(value));

function resultOf(error: unknown): unknown {
  if (error instanceof MongoClientBulkWriteError) {
    const { partialResult } = error;
    return partialResult === undefined || isNothing(counts(partialResult))
      ? undefined
      : clientResult(partialResult);
  }
  if (error instanceof MongoBulkWriteError) return error.result;
  return error instanceof MongoServerError ? error.errorResponse : undefined;
}

const counts = (result: object): object =>
  Object.fromEntries(Object.entries(result).filter(([name]) => name.endsWith('Count')));
