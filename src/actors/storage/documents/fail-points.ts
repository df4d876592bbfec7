import type { Document } from 'bson';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { badValue, DocumentError } from './document-error.ts';
import { labelsOf, nameOf } from './error-labels.ts';

/** What is to happen to a command; a driver's tests, and those of an application, see how they get on. */
export interface Failure {
  readonly blockMs: number;
  /** The connection goes, and the command is not run. */
  readonly closes: boolean;
  /** The reply in the place of the command's own, or null where the command runs. */
  readonly error: Document | null;
  /** Added to the reply of the command, which is run. */
  readonly concern: Document | null;
}

interface Point {
  readonly commands: ReadonlySet<string>;
  readonly namespace: string | null;
  readonly data: Document;
  /** Commands that pass before it fails one. */
  skip: number;
  /** Commands that it still fails. */
  times: number;
}

/** Fails commands by their names; and retryable writes, which it cuts off around their commit. */
const NAMES = ['failCommand', 'onPrimaryTransactionalWrite'] as const;
const MOST_BLOCK_MS = 10_000;

const numeric = (value: BsonValue): number => {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw badValue('a fail point counts in whole numbers');
  return number;
};

function readMode(mode: BsonValue): { readonly skip: number; readonly times: number } | null {
  if (mode === 'off') return null;
  if (mode === 'alwaysOn') return { skip: 0, times: Number.POSITIVE_INFINITY };
  if (isPlainDocument(mode)) {
    const { times, skip } = mode;
    if (times !== undefined) return { skip: 0, times: numeric(times) };
    if (skip !== undefined) return { skip: numeric(skip), times: Number.POSITIVE_INFINITY };
  }
  throw badValue('the mode of a fail point is off, alwaysOn, {times: n} or {skip: n}');
}

/** Fields of `data` that mean something here. */
const KNOWN = new Set([
  ...['failCommands', 'errorCode', 'errorLabels', 'closeConnection', 'writeConcernError'],
  ...['blockConnection', 'blockTimeMS', 'namespace', 'errorExtraInfo', 'failInternalCommands'],
  'failBeforeCommitExceptionCode',
]);

function readData(data: Document): void {
  for (const field of Object.keys(data))
    if (!KNOWN.has(field)) throw badValue(`a fail point with ${field.slice(0, 40)} is not supported`);
  const { writeConcernError } = data;
  if (writeConcernError !== undefined && !isPlainDocument(writeConcernError))
    throw badValue('writeConcernError must be an object');
}

function commandsOf(data: Document): ReadonlySet<string> {
  const { failCommands } = data;
  if (!Array.isArray(failCommands)) throw badValue('failCommands must be an array');
  return new Set(failCommands.map(String));
}

/**
 * `failCommand` as drivers' specifications use it. It befalls the commands of the user who set it, and nobody else's:
 * databases of other projects are served by the same process.
 */
export class FailPoints {
  readonly #points = new Map<string, Point>();

  /** Throws BadValue and CommandNotSupported. */
  configure(owner: string, name: string, mode: BsonValue, data: Document): void {
    const known = NAMES.find((each) => each === name);
    if (known === undefined)
      throw new DocumentError('CommandNotSupported', `the fail point ${name.slice(0, 60)} is not supported`);
    const counts = readMode(mode);
    this.#points.delete(`${known} ${owner}`);
    if (counts === null) return;
    readData(data);
    const { namespace } = data;
    this.#points.set(`${known} ${owner}`, {
      commands: known === 'failCommand' ? commandsOf(data) : new Set(),
      namespace: typeof namespace === 'string' ? namespace : null,
      data,
      ...counts,
    });
  }

  /** What befalls this command, if anything does. */
  take(owner: string, name: string, body: Document): Failure | null {
    const key = `failCommand ${owner}`;
    const point = this.#points.get(key);
    if (point === undefined || !concerns(point, name, body) || !hits(point, 1)) return null;
    if (point.times <= 0) this.#points.delete(key);
    return failureOf(point.data, name, body);
  }

  /** Whether a retryable write of so many statements loses its connection before its commit, or after it. */
  takeWrite(owner: string, statements: number): 'before' | 'after' | null {
    const key = `onPrimaryTransactionalWrite ${owner}`;
    const point = this.#points.get(key);
    if (point === undefined || !hits(point, statements)) return null;
    if (point.times <= 0) this.#points.delete(key);
    return point.data['failBeforeCommitExceptionCode'] === undefined ? 'after' : 'before';
  }
}

const concerns = ({ commands, namespace }: Point, name: string, body: Document): boolean =>
  commands.has(name) && (namespace === null || namespace === `${String(body['$db'])}.${String(body[name])}`);

/** Counts so many statements; whether it is one of them that fails. */
function hits(point: Point, statements: number): boolean {
  if (statements <= point.skip) {
    point.skip -= statements;
    return false;
  }
  point.skip = 0;
  point.times -= 1;
  return true;
}

function failureOf(data: Document, name: string, body: Document): Failure {
  const { errorCode, errorLabels, writeConcernError, errorExtraInfo } = data;
  const blockMs =
    data['blockConnection'] === true ? Math.min(numeric(data['blockTimeMS']), MOST_BLOCK_MS) : 0;
  const given = Array.isArray(errorLabels) ? errorLabels.map(String) : null;
  const withLabels = (labels: readonly string[]): Document =>
    labels.length === 0 ? {} : { errorLabels: labels };
  const code = errorCode === undefined ? null : numeric(errorCode);
  const error =
    code === null
      ? null
      : {
          ...{ ok: 0, errmsg: `Failing command via 'failCommand' failpoint`, code },
          codeName: nameOf(code) ?? `Location${code}`,
          ...(isPlainDocument(errorExtraInfo) ? errorExtraInfo : {}),
          ...withLabels(given ?? labelsOf(name, body, code)),
        };
  const concern = isPlainDocument(writeConcernError)
    ? {
        writeConcernError,
        ...withLabels(given ?? labelsOf(name, body, Number(writeConcernError['code']), true)),
      }
    : null;
  return { blockMs, closes: data['closeConnection'] === true, error, concern };
}
