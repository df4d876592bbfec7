import type { Document } from 'bson';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { bigint, document } from './command.ts';
import { badValue, DocumentError } from './document-error.ts';

const LEVELS = new Set(['local', 'available', 'majority', 'linearizable', 'snapshot']);
/** Those that a transaction may be begun with. */
const TRANSACTION_LEVELS = new Set(['local', 'majority', 'snapshot']);

const invalid = (message: string): DocumentError => new DocumentError('InvalidOptions', message);

/** The level of a read concern. Throws for what is none. */
function levelOf(value: BsonValue): string | null {
  const { level, afterClusterTime } = document(value, 'readConcern');
  if (afterClusterTime !== undefined && bigint(afterClusterTime) === 0n)
    throw invalid('afterClusterTime cannot be a null timestamp');
  if (level === undefined) return null;
  if (typeof level !== 'string' || !LEVELS.has(level))
    throw new DocumentError('FailedToParse', `unknown read concern level: ${String(level).slice(0, 40)}`);
  return level;
}

function requireReadConcern(body: Document): void {
  const { readConcern: given } = body;
  if (given === undefined) return;
  const level = levelOf(given);
  if (body['autocommit'] === false) {
    if (body['startTransaction'] !== true)
      throw invalid('Only the first command in a transaction may specify a readConcern');
    if (level !== null && !TRANSACTION_LEVELS.has(level))
      throw invalid('The readConcern level must be either local, majority or snapshot in a transaction');
    return;
  }
  // One server reads what is committed, whatever weaker level is asked for; a moment of the past it has not kept.
  if (level === 'snapshot') throw invalid('readConcern snapshot is supported in transactions only');
  const pipeline: BsonValue = body['pipeline'];
  const last: BsonValue = Array.isArray(pipeline) ? pipeline.at(-1) : undefined;
  const writes = isPlainDocument(last) && ('$out' in last || '$merge' in last);
  if (level === 'linearizable' && writes)
    throw invalid('readConcern linearizable cannot be used with a pipeline that writes');
}

function requireWriteConcern(body: Document, name: string): void {
  const { writeConcern: given } = body;
  if (given === undefined) return;
  const { w, j, wtimeout } = document(given, 'writeConcern');
  const ends = name === 'commitTransaction' || name === 'abortTransaction';
  if (body['autocommit'] === false && !ends)
    throw invalid(`Cannot set write concern after starting a transaction: ${name.slice(0, 40)}`);
  if (typeof w === 'number' && (!Number.isInteger(w) || w < 0 || w > 50))
    throw new DocumentError('FailedToParse', 'w has to be a whole number from 0 to 50');
  if (w !== undefined && typeof w !== 'number' && typeof w !== 'string')
    throw new DocumentError('FailedToParse', 'w has to be a number or a string');
  if (typeof w === 'string' && w !== 'majority')
    throw new DocumentError(
      'UnknownReplWriteConcern',
      `No write concern mode named '${w.slice(0, 40)}' found`,
    );
  if (j !== undefined && typeof j !== 'boolean' && typeof j !== 'number')
    throw badValue('j has to be a boolean');
  if (wtimeout !== undefined && typeof wtimeout !== 'number') throw badValue('wtimeout has to be a number');
}

/** Throws for a read or write concern that means nothing here, or that this command may not have. */
export function requireConcerns(body: Document, name: string): void {
  requireReadConcern(body);
  requireWriteConcern(body, name);
}
