import type { IdempotencyRecord, Transaction } from '../engine.ts';
import type { RunStorage } from '../storage-process/storage-request.ts';

interface TransactionOptions {
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

function transactionOn({ file, role, trims }: TransactionOptions, run: RunStorage): Transaction {
  return {
    execute: async (query) => {
      const { body, rowCount, total, totalKind } = await run({ op: 'query', file, query, role, busyMs: 0 });
      return { json: body, rowCount, total, totalKind };
    },
    idempotency: {
      claim: async (claim) => {
        const { body } = await run({ op: 'claim', file, claim, trim: trims() });
        return JSON.parse(body) as IdempotencyRecord | null; // our own process wrote it
      },
      settle: async (key, result) => void (await run({ op: 'settle', file, key, result })),
    },
  };
}

/**
 * Runs `work` in a transaction of the storage process behind `run`, which holds the project's write lock meanwhile.
 * A process that dies takes along what it had not committed.
 */
export async function runTransaction<Result>(
  options: TransactionOptions,
  run: RunStorage,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> {
  const { file, busyMs, keep } = options;
  await run({ op: 'begin', file, busyMs });
  try {
    const result = await work(transactionOn(options, run));
    await run({ op: 'end', file, commit: keep });
    return result;
  } catch (error) {
    await run({ op: 'end', file, commit: false }).catch(() => {}); // gone with its process, then
    throw error;
  }
}
