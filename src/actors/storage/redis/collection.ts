import { unavailable } from './failures.ts';

/** One declared index; while it is built, writes keep it and reads do not use it. */
export interface DeclaredIndex {
  readonly field: string;
  readonly state: 'building' | 'ready';
  /** No two documents have the same value of it; those that have none do not count. */
  readonly unique: boolean;
}

/** What the registry holds of a collection: its indexes. */
export interface CollectionFacts {
  /** The value as it stands in the registry; empty where the collection does not exist. */
  readonly text: string;
  readonly indexes: readonly DeclaredIndex[];
}

/** Throws where the registry holds something else: the project's own user may have written over it. */
export function readFacts(text: string): CollectionFacts {
  if (text === '' || text === '[]') return { text, indexes: [] };
  try {
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed)) throw new Error('no list');
    return { text, indexes: parsed.map(readIndex) };
  } catch (cause) {
    throw unavailable('what it holds of the collection’s indexes cannot be read', cause);
  }
}

function readIndex(entry: unknown): DeclaredIndex {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') throw new Error('no index');
  return {
    field: entry[0],
    state: entry[1] === 'ready' ? 'ready' : 'building',
    unique: entry[2] === 'unique',
  };
}

export const writeFacts = (indexes: readonly DeclaredIndex[]): string =>
  JSON.stringify(indexes.map(({ field, state, unique }) => [field, state, ...(unique ? ['unique'] : [])]));
