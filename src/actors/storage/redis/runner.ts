import { MagError } from '../../../errors.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { Host } from '../../../runtime/host.ts';
import type { ExecuteContext, QueryResult, Transaction } from '../engine.ts';
import { Turns } from '../turns.ts';
import { commit, type Outcome } from './commit.ts';
import { clientGone } from './session.ts';
import { type DocumentStore, StaleFacts } from './store.ts';
import { OpenTransaction } from './transaction.ts';
import { draftWrite, duplicate, type WriteQuery } from './writer.ts';

/** Another one wrote in between: nothing was done, and all may begin anew. */
const AGAIN = Symbol('again');

/** Runs writes and transactions: read, decide, and write on condition that nothing changed in between. */
export class WriteRunner {
  readonly #store: DocumentStore;
  readonly #host: Host;
  /** Of the writes to a collection that met another one: they do not meet again. */
  readonly #turns = new Turns();

  constructor(store: DocumentStore, host: Host) {
    this.#store = store;
    this.#host = host;
  }

  write(query: WriteQuery, context: ExecuteContext): Promise<QueryResult> {
    if (context.signal?.aborted === true) return Promise.reject(clientGone());
    return this.#untilDone(query.table, () => this.#attempt(query, context));
  }

  /** `work` runs again where another one wrote what it had read. */
  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result> {
    if (context.signal?.aborted === true) return Promise.reject(clientGone());
    return this.#untilDone('', () => this.#transact(work, context));
  }

  async #transact<Result>(
    work: (transaction: Transaction) => Promise<Result>,
    context: ExecuteContext,
  ): Promise<Result | typeof AGAIN> {
    const transaction = new OpenTransaction(this.#store, context, this.#host);
    try {
      const result = await work(transaction);
      for (let attempt = 0; attempt < REDIS_LIMITS.writeTries; attempt += 1) {
        const outcome = await transaction.commit();
        if (outcome.kind === 'done') return result;
        if (outcome.kind === 'claimed') throw new MagError('MAG_IDEMPOTENCY_RUNNING');
        if (outcome.kind === 'taken') throw duplicate(outcome.collection, outcome.field);
        if (outcome.kind !== 'stale') return AGAIN;
      }
      return AGAIN;
    } finally {
      await transaction.end();
    }
  }

  /** The first try is free; who meets another one goes on in turn. */
  async #untilDone<Result>(turn: string, attempt: () => Promise<Result | typeof AGAIN>): Promise<Result> {
    const first = await attempt();
    if (first !== AGAIN) return first;
    return this.#turns.in(turn, async () => {
      for (let tries = 0; tries < REDIS_LIMITS.writeTries; tries += 1) {
        const result = await attempt();
        if (result !== AGAIN) return result;
      }
      throw new MagError('MAG_OVERLOADED', { what: 'the documents are being changed by many at once' });
    });
  }

  async #attempt(query: WriteQuery, context: ExecuteContext): Promise<QueryResult | typeof AGAIN> {
    const facts = await this.#store.facts(query.table, context);
    try {
      const { changes, result } = await draftWrite(this.#store, query, facts, context, this.#host);
      if (changes.length === 0) return result;
      const part = { collection: query.table, facts, changes };
      const outcome = await commit(this.#store, [part], context, { dry: context.rollback === true });
      return outcome.kind === 'done' ? result : again(outcome, query);
    } catch (error) {
      if (error instanceof StaleFacts) return AGAIN;
      throw error;
    }
  }
}

/** Throws 23505 for what no other try would change; an upsert that meets a new document merges with it next time. */
function again(outcome: Outcome, query: WriteQuery): typeof AGAIN {
  const conflict = query.kind === 'insert' ? query.onConflict : undefined;
  const target = conflict === undefined ? null : (conflict.columns?.[0] ?? 'id');
  if (outcome.kind === 'exists' && target !== 'id') throw duplicate(query.table, 'id', outcome.id);
  if (outcome.kind === 'taken' && target !== outcome.field) throw duplicate(query.table, outcome.field);
  return AGAIN;
}
