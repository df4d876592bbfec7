import { createHash } from 'node:crypto';
import { DatabaseError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { Row } from '../../../protocol/query.ts';
import type { CollectionFacts } from './collection.ts';
import type { StoredDocument } from './documents.ts';
import { unavailable } from './failures.ts';
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

/** What a write does to one collection. */
export interface CollectionChanges {
  readonly collection: string;
  readonly facts: CollectionFacts;
  readonly changes: readonly Change[];
  /** New value of the registry for the collection; `-` removes it, where it is empty. */
  readonly becomes?: string;
}

/** A record of an idempotency key that comes with a write. */
export interface OnceRecord {
  readonly key: string;
  /** What stands there, when it has expired. */
  readonly before: string | null;
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly expires: number;
}

export type Outcome =
  | { readonly kind: 'done' }
  /** Somebody else wrote meanwhile, or declared an index: what was read must be read again. */
  | { readonly kind: 'changed' }
  /** Only the indexes are others: the same changes may be tried again. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'exists'; readonly collection: string; readonly id: string }
  | { readonly kind: 'taken'; readonly collection: string; readonly field: string }
  /** The idempotency key is another write's. */
  | { readonly kind: 'claimed' };

export interface CommitOptions {
  /** All is checked, and nothing written. */
  readonly dry?: boolean;
  readonly records?: readonly OnceRecord[];
}

/**
 * Writes all changes in one step, or none: each document must still be what it was when it was read. Documents, the
 * order of ids and every declared index change together.
 */
export async function commit(
  store: DocumentStore,
  parts: readonly CollectionChanges[],
  budget: Budget,
  { dry = false, records = [] }: CommitOptions = {},
): Promise<Outcome> {
  if (parts.reduce((sum, { changes }) => sum + changes.length, 0) > REDIS_LIMITS.writtenDocuments)
    throw tooMany();
  const call = new WriteCall(store, dry);
  for (const record of records) call.record(record);
  for (const part of parts) call.part(part);
  const reply = await store.session.run(budget, 'FCALL', call.words());
  return outcomeOf(reply, store, parts, dry);
}

function outcomeOf(
  reply: unknown,
  store: DocumentStore,
  parts: readonly CollectionChanges[],
  dry: boolean,
): Outcome {
  const [state, collection = '', detail = '', id = ''] = reply as [
    string,
    string?,
    (string | number)?,
    string?,
  ]; // the function's own shape
  switch (state) {
    case 'ok':
      if (!dry) for (const part of parts) store.learn(part.collection, textAfter(part));
      return { kind: 'done' };
    case 'exists':
      return { kind: 'exists', collection, id: String(detail) };
    case 'taken': {
      const facts = parts.find((part) => part.collection === collection)?.facts;
      return { kind: 'taken', collection, field: facts?.indexes[Number(detail) - 1]?.field ?? id };
    }
    case 'full':
      throw new DatabaseError('54000', `A project holds at most ${LIMITS.schemaTables} collections`);
    case 'stale':
      store.learn(collection, String(detail));
      return { kind: 'stale' };
    case 'changed':
      return { kind: 'changed' };
    case 'claimed':
      return { kind: 'claimed' };
    default:
      throw unavailable(`its function said ${state}`);
  }
}

const textAfter = ({ becomes = '', facts }: CollectionChanges): string =>
  becomes === '-' ? '' : becomes || facts.text || '[]';

export const tooMany = (): DatabaseError =>
  new DatabaseError('54000', `One write touches at most ${REDIS_LIMITS.writtenDocuments} documents`, {
    hint: 'Narrow it with a filter, and repeat it.',
  });

const shaOf = (text: string): string => createHash('sha1').update(text).digest('hex');

type Word = string | number;

/** The words of one call of the function that writes. */
class WriteCall {
  readonly #store: DocumentStore;
  readonly #dry: boolean;
  readonly #keys: string[];
  readonly #records: Word[] = [];
  readonly #parts: Word[] = [];
  #counts = { records: 0, parts: 0 };
  #now = 0;
  #removes = true;

  constructor(store: DocumentStore, dry: boolean) {
    this.#store = store;
    this.#dry = dry;
    this.#keys = [store.keys.collections, store.keys.records];
  }

  record({ key, before, text, now, expires }: OnceRecord): void {
    this.#counts.records += 1;
    this.#removes = false;
    this.#now = Math.max(this.#now, now);
    this.#records.push(this.#keys.push(key), before === null ? '' : shaOf(before), text, expires);
  }

  part({ collection, facts, changes, becomes = '' }: CollectionChanges): void {
    const { keys } = this.#store;
    this.#counts.parts += 1;
    this.#removes &&= becomes.length < 2 && changes.every(({ after }) => after === null);
    const ids = this.#keys.push(keys.ids(collection));
    for (const { field } of facts.indexes) this.#keys.push(keys.index(collection, field));
    this.#parts.push(ids, facts.indexes.length, keys.documents(collection), collection, facts.text, becomes);
    this.#parts.push(changes.length);
    // One by one: a spread of a hundred thousand words would fill the stack.
    for (const change of changes) for (const word of wordsOf(change, facts)) this.#parts.push(word);
  }

  words(): Word[] {
    const head = [
      this.#removes ? FUNCTIONS.remove : FUNCTIONS.write,
      this.#keys.length,
      ...this.#keys,
      this.#dry ? '1' : '0',
      LIMITS.schemaTables,
    ];
    const records = [this.#counts.records, ...this.#records];
    const bounds = [this.#now, LIMITS.idempotencySweep, LIMITS.idempotencyRecords];
    return [...head, this.#counts.parts, ...records, ...bounds].concat(this.#parts);
  }
}

/** A change as the function reads it. */
function wordsOf({ id, before, after }: Change, { indexes }: CollectionFacts): readonly Word[] {
  const member = memberOf(id);
  // A number and a text that look alike are one key, and two places in the order of ids.
  const old = before === null ? member : memberOf(idOf(before.document));
  const what = after === null ? 'del' : after === before ? 'keep' : 'put';
  const moves: Word[] = old === member ? [] : ['-', 0, old, ...(after === null ? [] : ['+', 0, member])];
  indexes.forEach(({ field, unique }, at) => {
    const was = before === null ? null : indexMember(before.document, field, old);
    const is = after === null ? null : indexMember(after.document, field, member);
    // Of a document that stays as it is the index may hold nothing yet: it is being built.
    if (was === is && what !== 'keep') return;
    if (was !== null && was !== is) moves.push('-', at + 1, was);
    if (is !== null) moves.push(unique ? 'u' : '+', at + 1, is);
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
