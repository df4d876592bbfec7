import type { Document } from 'bson';
import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { IdempotencyClaim, IdempotencyRecord, IdempotencyRecords } from '../engine.ts';
import { isTransient } from './failures.ts';
import { RECORDS } from './names.ts';
import type { Commands } from './session.ts';

/** By which those that have expired are found; made once, outside of any transaction. */
export const prepareRecords = (commands: Commands): Promise<Document> =>
  commands.records.run({ createIndexes: RECORDS, indexes: [{ key: { expires: 1 }, name: 'expires_1' }] });

/** Another transaction has the key, or has just taken it. */
const isTaken = (error: unknown): boolean =>
  isTransient(error) || (error instanceof DatabaseError && ['23505', '40001'].includes(error.code));

/** Records of one project, as one transaction sees them. `claims`: of the whole session. */
export class MongodbIdempotency implements IdempotencyRecords {
  readonly #commands: Commands['records'];
  readonly #claims: { count: number };

  constructor(commands: Commands, claims: { count: number }) {
    this.#commands = commands.records;
    this.#claims = claims;
  }

  async claim(claim: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    try {
      return await this.#claim(claim);
    } catch (error) {
      if (isTaken(error)) throw new MagError('MAG_IDEMPOTENCY_RUNNING', {}, { cause: error });
      throw error;
    }
  }

  async settle(key: string, result: string): Promise<void> {
    await this.#commands.run({ update: RECORDS, updates: [{ q: { _id: key }, u: { $set: { result } } }] });
  }

  async #claim({ key, fingerprint, now, expires }: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    const [found] = await this.#find({ _id: key }, 1);
    if (found !== undefined && Number(found['expires']) > now)
      return { fingerprint: String(found['fingerprint']), result: String(found['result']) };
    const record = { fingerprint, expires, result: '' };
    if (found === undefined)
      await this.#commands.run({ insert: RECORDS, documents: [{ _id: key, ...record }] });
    else await this.#commands.run({ update: RECORDS, updates: [{ q: { _id: key }, u: { $set: record } }] });
    await this.#remove(await this.#find({ expires: { $lte: now } }, LIMITS.idempotencySweep));
    this.#claims.count += 1;
    if (this.#claims.count % LIMITS.idempotencyTrimEvery === 0) await this.#trim();
    return null;
  }

  async #find(filter: Document, limit: number): Promise<readonly Document[]> {
    const command = {
      find: RECORDS,
      filter,
      sort: { expires: 1 },
      limit,
      batchSize: limit,
      singleBatch: true,
    };
    const { cursor } = await this.#commands.run(command);
    return cursor.firstBatch as readonly Document[]; // the protocol's own shape
  }

  async #remove(records: readonly Document[]): Promise<void> {
    if (records.length === 0) return;
    const q = { _id: { $in: records.map((record) => record['_id']) } };
    await this.#commands.run({ delete: RECORDS, deletes: [{ q, limit: 0 }] });
  }

  async #trim(): Promise<void> {
    const pipeline = [{ $match: {} }, { $count: 'n' }];
    const { cursor } = await this.#commands.run({ aggregate: RECORDS, pipeline, cursor: {} });
    const excess = Number(cursor.firstBatch[0]?.n ?? 0) - LIMITS.idempotencyRecords;
    if (excess > 0)
      await this.#remove(await this.#find({}, Math.min(excess, LIMITS.idempotencyTrimEvery * 2)));
  }
}
