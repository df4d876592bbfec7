import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { Query } from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';
import type {
  ExecuteContext,
  IdempotencyClaim,
  IdempotencyRecord,
  IdempotencyRecords,
  QueryResult,
  Transaction,
} from '../engine.ts';
import type { CollectionFacts } from './collection.ts';
import { type Change, commit, idOf, type OnceRecord, type Outcome } from './commit.ts';
import type { StoredDocument } from './documents.ts';
import { requireFields } from './fields.ts';
import { idText } from './keys.ts';
import type { Source } from './read-plan.ts';
import { select } from './reader.ts';
import type { Budget } from './session.ts';
import { type DocumentSource, type DocumentStore, type Page, StaleFacts, type Window } from './store.ts';
import { draftWrite } from './writer.ts';

/** What a record holds, as JSON. */
interface Kept extends IdempotencyRecord {
  readonly expires: number;
}

/**
 * A transaction: its writes stand in memory over what is stored, where its own reads see them, and are written in one
 * step at its end, on condition that nobody else wrote any of those documents since they were read.
 */
export class OpenTransaction implements Transaction, DocumentSource {
  readonly looksFirst = true;
  readonly #store: DocumentStore;
  readonly #context: ExecuteContext;
  readonly #host: Host;
  /** By collection and id: what was read of each document that is written, and what it will be. */
  readonly #written = new Map<string, Map<string, Change>>();
  readonly #records = new Map<string, OnceRecord>();

  constructor(store: DocumentStore, context: ExecuteContext, host: Host) {
    this.#store = store;
    this.#context = context;
    this.#host = host;
  }

  readonly idempotency: IdempotencyRecords = {
    claim: (claim) => this.#claim(claim),
    settle: async (key, result) => {
      const record = this.#records.get(key);
      if (record === undefined) return;
      const { fingerprint } = JSON.parse(record.text) as Kept; // written below
      this.#records.set(key, { ...record, text: recordText(fingerprint, result, record.expires) });
    },
  };

  async execute(query: Query): Promise<QueryResult> {
    requireFields(query);
    if (query.kind === 'select') return select(this, query, this.#context);
    for (;;) {
      const facts = await this.facts(query.table, this.#context);
      try {
        const { changes, result } = await draftWrite(this, query, facts, this.#context, this.#host);
        for (const change of changes) this.#apply(query.table, change);
        return result;
      } catch (error) {
        if (!(error instanceof StaleFacts)) throw error;
      }
    }
  }

  /** Writes everything, or says why not: then nothing is written. */
  async commit(): Promise<Outcome> {
    const parts = [];
    for (const [collection, changes] of this.#written) {
      const facts = await this.#store.facts(collection, this.#context);
      const real = [...changes.values()].filter(({ before, after }) => before !== null || after !== null);
      parts.push({ collection, facts, changes: real });
    }
    const records = [...this.#records.values()];
    if (parts.length === 0 && records.length === 0) return { kind: 'done' };
    return commit(this.#store, parts, this.#context, { dry: this.#context.rollback === true, records });
  }

  facts(collection: string, budget: Budget): Promise<CollectionFacts> {
    return this.#store.facts(collection, budget);
  }

  known(collection: string): CollectionFacts | undefined {
    return this.#store.known(collection);
  }

  lookup(collection: string, ids: readonly string[], budget: Budget): Promise<readonly StoredDocument[]> {
    return this.#store.lookup(collection, ids, budget);
  }

  page(collection: string, window: Window, budget: Budget): Promise<Page> {
    return this.#store.page(collection, window, budget);
  }

  rest(budget: Budget): Promise<void> {
    return this.#store.rest(budget);
  }

  /** What it wrote comes after what is stored, in no order. */
  ordered(collection: string): boolean {
    return !this.#written.has(collection);
  }

  async *batches(
    collection: string,
    source: Source,
    facts: CollectionFacts,
    reverse: boolean,
    budget: Budget,
  ): AsyncGenerator<readonly StoredDocument[]> {
    const written = this.#written.get(collection);
    for await (const batch of this.#store.batches(collection, source, facts, reverse, budget)) {
      yield written === undefined
        ? batch
        : batch.filter(({ document }) => !written.has(idText(idOf(document))));
    }
    if (written !== undefined) yield [...written.values()].flatMap(({ after }) => after ?? []);
  }

  /** Gives back what it holds, whichever way it went. */
  async end(): Promise<void> {
    const held = [...this.#records.keys()].map((key) => this.#store.keys.claim(key));
    if (held.length === 0) return;
    // It ends by itself, too: that costs only who asks meanwhile.
    const soon = { deadline: this.#host.now() + LIMITS.cancelGraceMs };
    await this.#store.session.run(soon, 'DEL', held).catch(() => {});
  }

  /**
   * While this is under way, who comes with the same key is told to come again. That one effect is made, and no more,
   * does not hang on it: the record is written on condition that there is none.
   */
  async #hold(key: string): Promise<void> {
    if (this.#records.has(key)) return;
    const patience = Math.max(1, Math.ceil(this.#context.deadline - this.#host.now())) + LIMITS.cancelGraceMs;
    const claim = this.#store.keys.claim(key);
    const reply = await this.#store.session.run(this.#context, 'SET', [claim, '1', 'NX', 'PX', patience]);
    if (reply !== 'OK') throw new MagError('MAG_IDEMPOTENCY_RUNNING');
  }

  #apply(collection: string, change: Change): void {
    const written = this.#written.get(collection) ?? new Map<string, Change>();
    this.#written.set(collection, written);
    const name = idText(change.id);
    const earlier = written.get(name);
    written.set(name, earlier === undefined ? change : { ...change, before: earlier.before });
  }

  async #claim({ key, fingerprint, now, expires }: IdempotencyClaim): Promise<IdempotencyRecord | null> {
    const place = this.#store.keys.record(key);
    const held =
      this.#records.get(key)?.text ?? (await this.#store.session.run(this.#context, 'GET', [place]));
    if (typeof held === 'string') {
      const kept = JSON.parse(held) as Kept; // the engine's own
      if (kept.expires > now) return { fingerprint: kept.fingerprint, result: kept.result };
    }
    await this.#hold(key);
    const before = typeof held === 'string' ? held : null;
    this.#records.set(key, { key: place, before, text: recordText(fingerprint, '', expires), now, expires });
    return null;
  }
}

const recordText = (fingerprint: string, result: string, expires: number): string =>
  JSON.stringify({ fingerprint, result, expires } satisfies Kept);
