import { createHash } from 'node:crypto';
import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { Row } from '../../../protocol/query.ts';
import type { CollectionFacts } from './collection.ts';
import type { StoredDocument } from './documents.ts';
import { FUNCTIONS } from './functions.ts';
import { indexMember } from './index-entries.ts';
import { idText, memberOf } from './keys.ts';
import type { Budget } from './session.ts';
import type { DocumentStore } from './store.ts';

/** One document of a write: what it was when it was read, and what it will be. */
export interface Change {
  readonly id: string | number;
  readonly before: StoredDocument | null;
  /** Null: it is removed. The same document: only its place in indexes is set. */
  readonly after: StoredDocument | null;
}

export type Outcome =
  | { readonly kind: 'done' }
  /** Somebody else wrote meanwhile, or declared an index: what was read must be read again. */
  | { readonly kind: 'again' }
  | { readonly kind: 'exists'; readonly id: string };

export interface CommitOptions {
  /** All is checked, and nothing written. */
  readonly dry?: boolean;
  /** New value of the registry for the collection; `-` removes it, where it is empty. */
  readonly becomes?: string;
}

/**
 * Writes all changes in one step, or none: each document must still be what it was when it was read. Documents, the
 * order of ids and every declared index change together.
 */
export async function commit(
  store: DocumentStore,
  collection: string,
  facts: CollectionFacts,
  changes: readonly Change[],
  budget: Budget,
  { dry = false, becomes = '' }: CommitOptions = {},
): Promise<Outcome> {
  if (changes.length > REDIS_LIMITS.writtenDocuments) throw tooMany();
  const { keys } = store;
  const indexKeys = facts.indexes.map(({ field }) => keys.index(collection, field));
  const reply = await store.session.run(
    budget,
    'FCALL',
    ...[FUNCTIONS.write, 2 + indexKeys.length, keys.collections, keys.ids(collection), ...indexKeys],
    ...[keys.documents(collection), collection, facts.text, becomes, dry ? '1' : '0'],
    ...[LIMITS.schemaTables, changes.length, ...changes.flatMap((change) => wordsOf(change, facts))],
  );
  const [state, detail = ''] = reply as [string, string?]; // the function's own shape
  switch (state) {
    case 'ok':
      if (!dry) store.learn(collection, becomes === '-' ? '' : becomes || facts.text || '[]');
      return { kind: 'done' };
    case 'exists':
      return { kind: 'exists', id: detail };
    case 'full':
      throw new DatabaseError('54000', `A project holds at most ${LIMITS.schemaTables} collections`);
    case 'stale':
      store.learn(collection, detail);
      return { kind: 'again' };
    case 'changed':
      return { kind: 'again' };
    default:
      throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'redis', why: `its function said ${state}` });
  }
}

export const tooMany = (): DatabaseError =>
  new DatabaseError('54000', `One write touches at most ${REDIS_LIMITS.writtenDocuments} documents`, {
    hint: 'Narrow it with a filter, and repeat it.',
  });

const shaOf = (text: string): string => createHash('sha1').update(text).digest('hex');

/** A change as the function reads it. */
function wordsOf({ id, before, after }: Change, { indexes }: CollectionFacts): readonly (string | number)[] {
  const member = memberOf(id);
  const what = after === null ? 'del' : after === before ? 'keep' : 'put';
  const moves: (string | number)[] = [];
  indexes.forEach(({ field }, at) => {
    const was = before === null ? null : indexMember(before.document, field, member);
    const is = after === null ? null : indexMember(after.document, field, member);
    // Of a document that stays as it is the index may hold nothing yet: it is being built.
    if (was === is && what !== 'keep') return;
    if (was !== null && was !== is) moves.push('-', at + 1, was);
    if (is !== null) moves.push('+', at + 1, is);
  });
  const held = before === null ? '' : shaOf(before.text);
  return [what, idText(id), member, held, after?.text ?? '', moves.length / 3, ...moves];
}

/** The id of a document as it is stored; it was checked when it was written, or its own user wrote over it. */
export function idOf(document: Row): string | number {
  const { id } = document;
  if (typeof id === 'string' || typeof id === 'number') return id;
  throw new DatabaseError('22032', 'A key of the collection holds a document without an id');
}
