import type { Document } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { keyOf } from './bson-key.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { type Catalog, type CollectionInfo, entriesOf, type IndexInfo, tableOf } from './catalog.ts';
import { badValue, DocumentError } from './document-error.ts';
import { keyValues, own, valuesAt } from './field-path.ts';
import type { SqliteFile } from './sqlite-file.ts';

/** A stored document: its place in the table and its bytes. */
export interface Stored {
  readonly rid: number;
  readonly bytes: Buffer;
}

/** Where a write goes. */
export interface WriteTarget {
  readonly file: SqliteFile;
  readonly catalog: Catalog;
  /** `database.collection`, for messages. */
  readonly namespace: string;
  readonly collection: CollectionInfo;
}

/** Throws BSONObjectTooLarge. */
export function checkSize(bytes: Uint8Array): void {
  if (bytes.length > DOCUMENT_LIMITS.bytes)
    throw new DocumentError(
      'BSONObjectTooLarge',
      `object to insert too large. size in bytes: ${bytes.length}, max size: ${DOCUMENT_LIMITS.bytes}`,
    );
}

/** What may be a document's `_id`. */
function checkId(id: BsonValue): void {
  if (id === undefined) throw badValue('a document needs an _id');
  if (Array.isArray(id)) throw badValue("The '_id' value cannot be of type array");
  if (isPlainDocument(id) && Object.keys(id).some((name) => name.startsWith('$')))
    throw new DocumentError('DollarPrefixedFieldName', '_id fields may not contain $-prefixed fields');
}

/** Keys of a document in an index, each once. */
function entryKeys(index: IndexInfo, document: Document): readonly Buffer[] {
  let keys: readonly Buffer[] = [Buffer.alloc(0)];
  let arrays = 0;
  for (const { path } of index.fields) {
    const values = keyValues(document, path);
    if (values.length > 1) arrays += 1;
    if (arrays > 1) throw badValue('cannot index parallel arrays');
    keys = keys.flatMap((prefix) => values.map((value) => Buffer.concat([prefix, keyOf(value)])));
    if (keys.length > DOCUMENT_LIMITS.indexEntries) throw badValue('too many index keys in one document');
  }
  return [...new Map(keys.map((key) => [key.toString('latin1'), key])).values()];
}

const hasNone = (index: IndexInfo, document: Document): boolean =>
  index.fields.every(({ path }) => valuesAt(document, path).every((value) => value === undefined));

const keysIn = (index: IndexInfo, document: Document): readonly Buffer[] =>
  index.sparse && hasNone(index, document) ? [] : entryKeys(index, document);

const hasArray = (index: IndexInfo, document: Document): boolean =>
  index.fields.some(({ path }) => {
    const values = valuesAt(document, path);
    return values.length > 1 || values.some((value) => Array.isArray(value));
  });

function duplicate(namespace: string, name: string, pattern: Document, document: Document): DocumentError {
  const keyValue = Object.fromEntries(
    Object.keys(pattern).map((field) => [field, valuesAt(document, field.split('.'))[0] ?? null]),
  );
  const shown = Object.entries(keyValue).map(([field, value]) => `${field}: ${JSON.stringify(value)}`);
  return new DocumentError(
    'DuplicateKey',
    `E11000 duplicate key error collection: ${namespace} index: ${name} dup key: { ${shown.join(', ').slice(0, 500)} }`,
    { fields: { keyPattern: pattern, keyValue } },
  );
}

/** Throws DuplicateKey where another document than `rid` has one of these keys. */
function requireUnique(
  { file, namespace }: WriteTarget,
  index: IndexInfo,
  keys: readonly Buffer[],
  rid: number,
  document: Document,
): void {
  if (!index.unique) return;
  for (const key of keys) {
    if (
      file.get(`SELECT 1 FROM ${entriesOf(index)} WHERE key = ? AND rid <> ? LIMIT 1`, key, rid) !== undefined
    )
      throw duplicate(namespace, index.name, index.key, document);
  }
}

function addEntries(target: WriteTarget, index: IndexInfo, keys: readonly Buffer[], rid: number): void {
  for (const key of keys)
    target.file.run(`INSERT OR IGNORE INTO ${entriesOf(index)} (key, rid) VALUES (?, ?)`, key, rid);
}

/** Enters documents that are there already into an index that is being made. */
export function addToIndex(target: WriteTarget, index: IndexInfo, rid: number, document: Document): void {
  const keys = keysIn(index, document);
  requireUnique(target, index, keys, rid, document);
  if (hasArray(index, document)) target.catalog.markMultikey(index);
  addEntries(target, index, keys, rid);
}

const NOBODY = -1;

/** Stores a new document. Nothing is written where it throws. */
export function insertDocument(target: WriteTarget, bytes: Buffer, document: Document): void {
  const { file, collection, namespace, catalog } = target;
  checkSize(bytes);
  const id = own(document, '_id');
  checkId(id);
  const entries = collection.indexes.map((index) => ({ index, keys: keysIn(index, document) }));
  for (const { index, keys } of entries) requireUnique(target, index, keys, NOBODY, document);
  const table = tableOf(collection);
  const { changes, rowid } = file.run(
    `INSERT INTO ${table} (key, doc) VALUES (?, ?) ON CONFLICT (key) DO NOTHING`,
    keyOf(id),
    bytes,
  );
  if (changes === 0) throw duplicate(namespace, '_id_', { _id: 1 }, document);
  for (const { index, keys } of entries) {
    if (hasArray(index, document)) catalog.markMultikey(index);
    addEntries(target, index, keys, rowid);
  }
}

/** Puts another document in the place of one, under the same `_id`. Nothing is written where it throws. */
export function replaceDocument(
  target: WriteTarget,
  { rid }: Stored,
  before: Document,
  bytes: Buffer,
  after: Document,
): void {
  const { file, collection, catalog } = target;
  checkSize(bytes);
  const changed = collection.indexes.map((index) => {
    const old = keysIn(index, before);
    const keys = keysIn(index, after);
    const known = new Set(old.map((key) => key.toString('latin1')));
    const kept = new Set(keys.map((key) => key.toString('latin1')));
    return {
      index,
      added: keys.filter((key) => !known.has(key.toString('latin1'))),
      removed: old.filter((key) => !kept.has(key.toString('latin1'))),
    };
  });
  for (const { index, added } of changed) requireUnique(target, index, added, rid, after);
  file.run(`UPDATE ${tableOf(collection)} SET doc = ? WHERE rid = ?`, bytes, rid);
  for (const { index, added, removed } of changed) {
    if (added.length > 0 && hasArray(index, after)) catalog.markMultikey(index);
    for (const key of removed)
      file.run(`DELETE FROM ${entriesOf(index)} WHERE key = ? AND rid = ?`, key, rid);
    addEntries(target, index, added, rid);
  }
}

export function deleteDocument({ file, collection }: WriteTarget, { rid }: Stored): void {
  for (const index of collection.indexes) file.run(`DELETE FROM ${entriesOf(index)} WHERE rid = ?`, rid);
  file.run(`DELETE FROM ${tableOf(collection)} WHERE rid = ?`, rid);
}
