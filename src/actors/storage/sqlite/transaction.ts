import type { IdempotencyRecord, IdempotencyRecords, ScriptTransaction, Transaction } from '../engine.ts';
import type { RunStorage } from '../storage-process/storage-request.ts';

export interface TransactionOptions {
  readonly file: string;
  /** For the message of a refused write. */
  readonly role: string;
  /** How long it may wait for the write lock. */
  readonly busyMs: number;
  /** Asked with each claim: whether it is time to look how many records there are. */
  readonly trims: () => boolean;
  /** Whether what the work did stays. */
  readonly keep: boolean;
}

const recordsOn = ({ file, trims }: TransactionOptions, run: RunStorage): IdempotencyRecords => ({
  claim: async (claim) => {
    const { body } = await run({ op: 'claim', file, claim, trim: trims() });
    return JSON.parse(body) as IdempotencyRecord | null; // our own process wrote it
  },
  settle: async (key, result) => void (await run({ op: 'settle', file, key, result })),
});

function transactionOn(options: TransactionOptions, run: RunStorage): Transaction {
  const { file, role } = options;
  return {
    execute: async (query) => {
      const { body, rowCount, total, totalKind } = await run({ op: 'query', file, query, role, busyMs: 0 });
      return { json: body, rowCount, total, totalKind };
    },
    idempotency: recordsOn(options, run),
  };
}

function scriptsOn(options: TransactionOptions, run: RunStorage): ScriptTransaction {
  const { file } = options;
  return {
    sql: async (statement, params) => {
      const { body, rowCount, command } = await run({ op: 'script', file, statement, params });
      return { json: body, rowCount, command };
    },
    idempotency: recordsOn(options, run),
  };
}

async function within<Result>(
  { file, busyMs, keep }: TransactionOptions,
  run: RunStorage,
  apart: boolean,
  work: () => Promise<Result>,
): Promise<Result> {
  await run({ op: 'begin', file, busyMs, ...(apart ? { apart } : {}) });
  try {
    const result = await work();
    await run({ op: 'end', file, commit: keep });
    return result;
  } catch (error) {
    await run({ op: 'end', file, commit: false }).catch(() => {}); // gone with its process, then
    throw error;
  }
}

/**
 * Runs `work` in a transaction of the storage process behind `run`, which holds the project's write lock meanwhile.
 * A process that dies takes along what it had not committed.
 */
export const runTransaction = <Result>(
  options: TransactionOptions,
  run: RunStorage,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> => within(options, run, false, () => work(transactionOn(options, run)));

/** The same for a tenant's own SQL, on a connection that ends with it. */
export const runScripts = <Result>(
  options: TransactionOptions,
  run: RunStorage,
  work: (transaction: ScriptTransaction) => Promise<Result>,
): Promise<Result> => within(options, run, true, () => work(scriptsOn(options, run)));
