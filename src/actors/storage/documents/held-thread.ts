import { Script } from 'node:vm';
import { type BsonValue, isPlainDocument, tagOf } from './bson-value.ts';
import { DocumentError } from './document-error.ts';

/** Where the script finds what it is to run; a script is the one thing that V8 ends from outside, patterns too. */
const WORK = 'magmobo documents work';
const script = new Script(`globalThis[${JSON.stringify(WORK)}]()`);

const isOver = (error: unknown): boolean =>
  error instanceof Error && Reflect.get(error, 'code') === 'ERR_SCRIPT_EXECUTION_TIMEOUT';

/**
 * Runs what a client wrote and nobody can look into: a pattern, an expression. Where it holds the thread for longer, it
 * alone ends, and not the process of every project. It must not touch a file: nothing of it that is to come is run.
 * Costs a fraction of a millisecond. Throws MaxTimeMSExpired, and what the work throws.
 */
export function holding<Result>(mostMs: number, work: () => Result): Result {
  const outer: unknown = Reflect.get(globalThis, WORK);
  Reflect.set(globalThis, WORK, work);
  try {
    // What the script gives is what the work gives.
    return script.runInThisContext({ timeout: mostMs, displayErrors: false }) as Result;
  } catch (error) {
    if (!isOver(error)) throw error;
    const what = `a pattern or an expression held the server for more than ${mostMs} ms`;
    throw new DocumentError('MaxTimeMSExpired', what);
  } finally {
    Reflect.set(globalThis, WORK, outer);
  }
}

/** Whether a filter, or a part of an update, may take long on a single document. */
export function mayHold(value: BsonValue): boolean {
  if (Array.isArray(value)) return value.some(mayHold);
  if (value instanceof RegExp || tagOf(value) === 'BSONRegExp') return true;
  if (!isPlainDocument(value)) return false;
  return Object.entries(value).some(
    ([name, member]) => name === '$regex' || name === '$expr' || mayHold(member),
  );
}

/** Operators of a projection that take what is there. */
const TAKING = new Set(['$slice', '$meta', '$elemMatch']);

/** The same of a projection, whose expressions are anywhere in it. */
export function mayHoldProjecting(value: BsonValue): boolean {
  if (Array.isArray(value)) return value.some(mayHoldProjecting);
  if (!isPlainDocument(value)) return mayHold(value);
  return Object.entries(value).some(([name, member]) =>
    name.startsWith('$') && !TAKING.has(name) ? true : mayHold(member) || mayHoldProjecting(member),
  );
}
