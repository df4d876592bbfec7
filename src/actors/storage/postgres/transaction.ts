import { isPublicError } from '../../../errors.ts';
import type { CallQuery, Query } from '../../../protocol/query.ts';
import type { ExecuteContext, QueryResult, SchemaSnapshot, Transaction } from '../engine.ts';
import { isSchemaStale, isServerError, isUnknownName, publicError } from './failures.ts';
import { OWN_ROLE, PostgresIdempotency, type RecordsAccess, type RunText } from './idempotency.ts';
import type { PostgresSession, RunStatement } from './session.ts';
import { TextStatement } from './wire.ts';

/** What a transaction needs of the engine whose it is. */
interface TransactionParts {
  readonly session: PostgresSession;
  /** Of the whole session. */
  readonly records: RecordsAccess;
  schema(): Promise<SchemaSnapshot>;
  /** The schema, and every plan, may be out of date. */
  lookAnew(): Promise<void>;
  execute(query: Query, snapshot: SchemaSnapshot, run: RunStatement): Promise<QueryResult>;
  call(query: CallQuery, snapshot: SchemaSnapshot, run: RunStatement): Promise<QueryResult>;
  /** An error of the server as its client may see it. */
  failure(error: unknown, query: Query | CallQuery): Error;
}

/** How often a transaction that met others is run, in all. */
const CONFLICT_TRIES = 5;

/** Another transaction stood in the way (a deadlock, a serialization failure): the server ended this one. */
const isConflict = (error: unknown): boolean =>
  isPublicError(error) && (error.code === '40P01' || error.code === '40001');

interface Attempt<Result> {
  readonly result?: { readonly value: Result };
  readonly error?: unknown;
  /** What it failed of may have been an old view of the schema. */
  readonly stale: boolean;
}

function textOf(run: RunStatement): RunText {
  return async (sql, values) => {
    const statement = new TextStatement(sql, values, '', OWN_ROLE);
    await run(statement);
    return statement.rows;
  };
}

async function attempt<Result>(
  parts: TransactionParts,
  work: (transaction: Transaction) => Promise<Result>,
  context: ExecuteContext,
): Promise<Attempt<Result>> {
  let stale = false;
  const noticing = async (query: Query | CallQuery, done: Promise<QueryResult>): Promise<QueryResult> => {
    try {
      return await done;
    } catch (error) {
      stale ||= isSchemaStale(error) || isUnknownName(error);
      throw parts.failure(error, query);
    }
  };
  try {
    // Before a connection is taken: to look needs another one, and all may be held by those who wait for one.
    const snapshot = await parts.schema();
    const value = await parts.session.transaction(context, (run) =>
      work({
        execute: (query) => noticing(query, parts.execute(query, snapshot, run)),
        call: (query) => noticing(query, parts.call(query, snapshot, run)),
        idempotency: new PostgresIdempotency(textOf(run), parts.records),
      }),
    );
    return { result: { value }, stale };
  } catch (error) {
    return { error: isServerError(error) ? publicError(error) : error, stale };
  }
}

/** Runs `work` in a transaction; again, where the schema had moved or another transaction stood in the way. */
export async function transact<Result>(
  parts: TransactionParts,
  work: (transaction: Transaction) => Promise<Result>,
  context: ExecuteContext,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    const { result, error, stale } = await attempt(parts, work, context);
    if (result !== undefined) return result.value;
    const again = stale ? tries === 1 : isConflict(error) && tries < CONFLICT_TRIES;
    if (!again) throw error;
    // Nothing of it is there, so it may run again, under what the schema is now.
    if (stale) await parts.lookAnew();
  }
}
