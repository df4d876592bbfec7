import { DatabaseError, MagError } from '../../../errors.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { ExecuteContext } from '../engine.ts';
import { type CollectionFacts, type DeclaredIndex, writeFacts } from './collection.ts';
import { type Change, commit, idOf } from './commit.ts';
import type { StoredDocument } from './documents.ts';
import { type DocumentStore, StaleFacts } from './store.ts';
import { duplicate } from './writer.ts';

/**
 * Declares, builds and drops the indexes of a project. What is interrupted half-way leaves an index that is kept and
 * not used; declaring it again finishes it.
 */
export class CollectionIndexes {
  readonly #store: DocumentStore;

  constructor(store: DocumentStore) {
    this.#store = store;
  }

  /** The collection is made where it is not there yet. */
  async create(collection: string, field: string, unique: boolean, context: ExecuteContext): Promise<void> {
    if (field === 'id') throw new MagError('MAG_BAD_REQUEST', { problem: 'the id needs no index' });
    // From here on every write keeps it; then what was there before is added; then reads use it.
    await this.#redeclare(collection, context, (indexes) => {
      const known = indexes.find((index) => index.field === field);
      if (known !== undefined && known.unique !== unique)
        throw new DatabaseError('42P07', `${collection} has another index on ${field}`, {
          hint: 'Drop it first.',
        });
      if (known !== undefined) return indexes;
      if (indexes.length >= REDIS_LIMITS.collectionIndexes)
        throw new DatabaseError(
          '54000',
          `A collection has at most ${REDIS_LIMITS.collectionIndexes} indexes`,
        );
      return [...indexes, { field, state: 'building', unique }];
    });
    try {
      const keep = (before: StoredDocument): Change => ({ id: idOf(before.document), before, after: before });
      await this.#everyDocument(collection, context, keep);
    } catch (error) {
      // Two documents have the same value: it cannot be built, and would refuse writes for ever.
      if (error instanceof DatabaseError && error.code === '23505')
        await this.drop(collection, field, context);
      throw error;
    }
    await this.#redeclare(collection, context, (indexes) =>
      indexes.map((index) => (index.field === field ? { ...index, state: 'ready' } : index)),
    );
  }

  async drop(collection: string, field: string, context: ExecuteContext): Promise<void> {
    const facts = await this.#existing(collection, context);
    if (!facts.indexes.some((index) => index.field === field))
      throw new DatabaseError('42704', `${collection} has no index on ${field}`);
    await this.#redeclare(collection, context, (indexes) => indexes.filter((index) => index.field !== field));
    // Nobody keeps it any more: what is left of it is found by nobody, and removed at once.
    await this.#store.session.run(context, 'UNLINK', [this.#store.keys.index(collection, field)]);
  }

  async list(collection: string, context: ExecuteContext): Promise<readonly DeclaredIndex[]> {
    const facts = await this.#existing(collection, context);
    return facts.indexes;
  }

  /** Removes every document, and then the collection. */
  async dropCollection(collection: string, context: ExecuteContext): Promise<void> {
    for (let attempt = 0; attempt < REDIS_LIMITS.writeTries; attempt += 1) {
      await this.#everyDocument(collection, context, (before) => ({
        id: idOf(before.document),
        before,
        after: null,
      }));
      if (await this.#change(collection, [], context, '-')) return;
    }
    throw busy();
  }

  async #existing(collection: string, context: ExecuteContext): Promise<CollectionFacts> {
    const text = await this.#store.session.run(context, 'HGET', [this.#store.keys.collections, collection]);
    if (typeof text !== 'string') throw new MagError('PGRST205', { table: collection });
    return this.#store.learn(collection, text);
  }

  async #redeclare(
    collection: string,
    context: ExecuteContext,
    change: (indexes: readonly DeclaredIndex[]) => readonly DeclaredIndex[],
  ): Promise<void> {
    for (let attempt = 0; attempt < REDIS_LIMITS.writeTries; attempt += 1) {
      const facts = await this.#store.facts(collection, context);
      const becomes = writeFacts(change(facts.indexes));
      if (becomes === facts.text) return;
      if (await this.#change(collection, [], context, becomes)) return;
    }
    throw busy();
  }

  /** Goes over all documents, a batch at a time; one that changes meanwhile is looked at again with its batch. */
  async #everyDocument(
    collection: string,
    context: ExecuteContext,
    change: (before: StoredDocument) => Change,
  ): Promise<void> {
    let misses = 0;
    for (;;) {
      const facts = await this.#existing(collection, context);
      let complete = true;
      try {
        for await (const batch of this.#store.batches(collection, { kind: 'all' }, facts, false, context)) {
          if (batch.length === 0) continue;
          complete = (await this.#change(collection, batch.map(change), context)) && complete;
        }
      } catch (error) {
        if (!(error instanceof StaleFacts)) throw error;
        complete = false;
      }
      if (complete) return;
      misses += 1;
      if (misses === REDIS_LIMITS.writeTries) throw busy();
    }
  }

  async #change(
    collection: string,
    changes: readonly Change[],
    context: ExecuteContext,
    becomes = '',
  ): Promise<boolean> {
    const facts = await this.#store.facts(collection, context);
    const outcome = await commit(this.#store, [{ collection, facts, changes, becomes }], context);
    if (outcome.kind === 'taken') throw duplicate(collection, outcome.field);
    return outcome.kind === 'done';
  }
}

const busy = (): MagError =>
  new MagError('MAG_OVERLOADED', { what: 'the collection is being changed by many at once' });
