import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { type CollectionFacts, readFacts } from './collection.ts';
import { StoredDocument } from './documents.ts';
import { FUNCTIONS } from './functions.ts';
import { entryRange } from './index-entries.ts';
import type { ProjectKeys } from './keys.ts';
import type { Source } from './read-plan.ts';
import { type Budget, clientGone, type RedisSession } from './session.ts';

/** What was known of a collection's indexes is out of date: it is learnt, and the read begins anew. */
export class StaleFacts extends Error {}

/** Documents read at once, and the bytes after which a batch ends early: Redis serves nobody else meanwhile. */
const BATCH = 500;
const BATCH_BYTES = 1024 * 1024;
/** Ids looked up at once: each may be of a document as large as a request's body. */
export const LOOKUP = 50;

export interface Page {
  readonly documents: readonly StoredDocument[];
  /** Documents of the collection. */
  readonly total: number;
}

interface PageReply {
  readonly texts: readonly string[];
  readonly total: number;
  /** The entry to go on from; empty where there is nothing more. */
  readonly next: string;
}

interface PageCall {
  readonly set: string;
  readonly wanted: string;
  readonly mode: 'rank' | 'lex';
  readonly reverse: boolean;
  readonly indexed: boolean;
  readonly from: string | number;
  readonly to: string | number;
  readonly most: number;
  readonly bytes: number;
}

/** Where documents are read from: what is stored, or that with the writes of a transaction over it. */
export interface DocumentSource {
  known(collection: string): CollectionFacts | undefined;
  facts(collection: string, budget: Budget): Promise<CollectionFacts>;
  page(collection: string, window: Window, budget: Budget): Promise<Page>;
  lookup(collection: string, ids: readonly string[], budget: Budget): Promise<readonly StoredDocument[]>;
  batches(
    collection: string,
    source: Source,
    facts: CollectionFacts,
    reverse: boolean,
    budget: Budget,
  ): AsyncGenerator<readonly StoredDocument[]>;
  /** Lets others have the thread; rejects where nobody waits for this any more. */
  rest(budget: Budget): Promise<void>;
  /** Whether `page` and `lookup` may be asked, and batches come in order. */
  ordered(collection: string): boolean;
  /** An insert looks whether its ids are taken before it is written. */
  readonly looksFirst: boolean;
}

/** Places in the order of ids. */
export interface Window {
  readonly offset: number;
  readonly limit: number;
  readonly reverse: boolean;
}

/** Reads a project's documents, a bounded batch at a time. */
export class DocumentStore implements DocumentSource {
  readonly keys: ProjectKeys;
  readonly session: RedisSession;
  readonly looksFirst = false;
  /** Grows when it learns of a collection, or of other indexes. */
  generation = 0;
  /** Collections that are known to exist. */
  readonly #facts = new Map<string, CollectionFacts>();

  constructor(session: RedisSession, keys: ProjectKeys) {
    this.session = session;
    this.keys = keys;
  }

  rest(budget: Budget): Promise<void> {
    return this.session.rest(budget);
  }

  ordered(): boolean {
    return true;
  }

  /** The same where it is at hand. */
  known(collection: string): CollectionFacts | undefined {
    return this.#facts.get(collection);
  }

  /** What is known of the collection, which may be out of date; `text` is empty where it does not exist. */
  async facts(collection: string, budget: Budget): Promise<CollectionFacts> {
    const known = this.#facts.get(collection);
    if (known !== undefined) return known;
    const text = await this.session.run(budget, 'HGET', [this.keys.collections, collection]);
    return this.learn(collection, typeof text === 'string' ? text : '');
  }

  learn(collection: string, text: string): CollectionFacts {
    const known = this.#facts.get(collection);
    if (known?.text === text) return known;
    const facts = readFacts(text);
    this.generation += 1;
    if (text === '') this.#facts.delete(collection);
    else {
      if (this.#facts.size >= LIMITS.schemaTables) this.#facts.clear();
      this.#facts.set(collection, facts);
    }
    return facts;
  }

  /** Documents by place in the order of ids, with the size of the collection, in one step. */
  async page(collection: string, window: Window, budget: Budget): Promise<Page> {
    const { offset, limit, reverse } = window;
    const set = this.keys.ids(collection);
    // ZRANGE takes the last place, so that no document cannot be asked for; the place before the first gives none.
    const range = limit > 0 ? { from: offset, to: offset + limit - 1 } : { from: 1, to: 0 };
    const shape = {
      mode: 'rank',
      indexed: false,
      wanted: '',
      most: limit,
      bytes: LIMITS.resultBytes,
    } as const;
    const reply = await this.#page(collection, { set, reverse, ...range, ...shape }, budget);
    if (reply.next !== '') throw tooLarge();
    return { documents: reply.texts.map((text) => new StoredDocument(text)), total: reply.total };
  }

  /** Documents by their ids, at most LOOKUP of them. */
  async lookup(
    collection: string,
    ids: readonly string[],
    budget: Budget,
  ): Promise<readonly StoredDocument[]> {
    if (ids.length === 0) return [];
    const prefix = this.keys.documents(collection);
    const keys = ids.map((id) => prefix + id);
    const texts = await this.session.run(budget, 'MGET', keys);
    const documents: StoredDocument[] = [];
    for (const text of texts as readonly (string | null)[]) // MGET's reply
      if (text !== null) documents.push(new StoredDocument(text));
    return documents;
  }

  /**
   * Every document of a source, a batch at a time; `all`, and a single value of an index, in the order of ids. A
   * document that is written meanwhile may be seen before or after it. Throws StaleFacts.
   */
  async *batches(
    collection: string,
    source: Source,
    facts: CollectionFacts,
    reverse: boolean,
    budget: Budget,
  ): AsyncGenerator<readonly StoredDocument[]> {
    if (source.kind === 'ids') yield* this.#lookups(collection, source.ids, budget);
    else if (source.kind === 'all') {
      const set = this.keys.ids(collection);
      yield* this.#walk(collection, { set, wanted: '', indexed: false, reverse, from: '-', to: '+' }, budget);
    } else {
      const set = this.keys.index(collection, source.field);
      for (const entry of source.entries) {
        const { min, max } = entryRange(entry);
        const part = { set, wanted: facts.text, indexed: true, reverse, from: min, to: max };
        yield* this.#walk(collection, part, budget);
      }
    }
  }

  async *#lookups(
    collection: string,
    ids: readonly string[],
    budget: Budget,
  ): AsyncGenerator<readonly StoredDocument[]> {
    for (let at = 0; at < ids.length; at += LOOKUP) {
      if (at > 0) refuseGone(budget);
      yield await this.lookup(collection, ids.slice(at, at + LOOKUP), budget);
    }
  }

  async *#walk(
    collection: string,
    range: Pick<PageCall, 'set' | 'wanted' | 'indexed' | 'reverse' | 'from' | 'to'>,
    budget: Budget,
  ): AsyncGenerator<readonly StoredDocument[]> {
    let { from, to } = range;
    for (;;) {
      const call: PageCall = { ...range, from, to, mode: 'lex', most: BATCH, bytes: BATCH_BYTES };
      const { texts, next } = await this.#page(collection, call, budget);
      yield texts.map((text) => new StoredDocument(text));
      if (next === '') return;
      if (range.reverse) to = `(${next}`;
      else from = `(${next}`;
      refuseGone(budget);
    }
  }

  async #page(collection: string, call: PageCall, budget: Budget): Promise<PageReply> {
    const { set, wanted, mode, reverse, indexed, from, to, most, bytes } = call;
    const reply = await this.session.run(budget, 'FCALL_RO', [
      ...[FUNCTIONS.page, 2, this.keys.collections, set],
      ...[
        this.keys.documents(collection),
        collection,
        wanted,
        mode,
        reverse ? '1' : '0',
        indexed ? '1' : '0',
      ],
      ...[from, to, most, bytes],
    ]);
    // The function's own shape.
    const [text, state, total = 0, next = '', ...texts] = reply as [
      string,
      string,
      number?,
      string?,
      ...string[],
    ];
    this.learn(collection, text);
    // The first insert makes a collection; until then it is an empty one.
    if (state === 'unknown') return { texts: [], total: 0, next: '' };
    if (state === 'stale') throw new StaleFacts();
    return { texts, total, next };
  }
}

/** Between two batches: nobody waits for the rest any more. */
function refuseGone({ signal }: Budget): void {
  if (signal?.aborted === true) throw clientGone();
}

export const tooLarge = (limit = `${LIMITS.resultBytes / 1024 / 1024} MiB`): MagError =>
  new MagError('MAG_RESULT_TOO_LARGE', { limit });
