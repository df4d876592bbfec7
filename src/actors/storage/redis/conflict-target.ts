import { DatabaseError } from '../../../errors.ts';
import type { Row } from '../../../protocol/query.ts';
import type { CollectionFacts } from './collection.ts';
import { idOf } from './commit.ts';
import type { StoredDocument } from './documents.ts';
import { entryOf } from './index-entries.ts';
import { idText } from './keys.ts';
import type { Source } from './read-plan.ts';
import type { Budget } from './session.ts';
import type { DocumentSource } from './store.ts';

/** By what an upsert finds the document that is there: its id, or a field that a unique index keeps. */
export interface ConflictTarget {
  readonly field: string;
  /** What documents that meet have in common; null for one that meets none. */
  keyOf(document: Row): string | null;
  /** The documents that rows meet, by that. */
  held(
    source: DocumentSource,
    collection: string,
    rows: readonly { readonly document: Row }[],
    facts: CollectionFacts,
    budget: Budget,
  ): Promise<ReadonlyMap<string, StoredDocument>>;
}

/** Throws 42P10 where nothing keeps the columns unique. */
export function targetOf(columns: readonly string[] | undefined, facts: CollectionFacts): ConflictTarget {
  const [field = 'id', ...others] = columns ?? [];
  const isUnique = (index: CollectionFacts['indexes'][number]): boolean =>
    index.field === field && index.unique && index.state === 'ready';
  if (others.length > 0 || (field !== 'id' && !facts.indexes.some(isUnique))) {
    throw new DatabaseError('42P10', 'there is no unique index matching the ON CONFLICT specification', {
      hint: 'Of a collection the id is unique, and every field with MAG.INDEX CREATE collection field UNIQUE.',
    });
  }
  const keyOf = (document: Row): string | null => {
    if (field === 'id') return `id ${idText(idOf(document))}`;
    const entry = entryOf(Object.hasOwn(document, field) ? document[field] : undefined);
    return entry === null ? null : `value ${entry}`;
  };
  return {
    field,
    keyOf,
    held: async (source, collection, rows, known, budget) => {
      const wanted = rows.flatMap(({ document }) => keyOf(document) ?? []);
      const found = new Map<string, StoredDocument>();
      const lookup: Source =
        field === 'id'
          ? { kind: 'ids', ids: wanted.map((key) => key.slice('id '.length)) }
          : { kind: 'index', field, entries: wanted.map((key) => key.slice('value '.length)) };
      for await (const batch of source.batches(collection, lookup, known, false, budget)) {
        for (const each of batch) {
          const key = keyOf(each.document);
          if (key !== null) found.set(key, each);
        }
      }
      return found;
    },
  };
}
