import { type Document, serialize } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { DocumentError } from './document-error.ts';
import { splitPath } from './field-path.ts';
import { blob, type SqliteFile } from './sqlite-file.ts';
import { readDocument } from './wire.ts';

export interface IndexInfo {
  readonly id: number;
  readonly name: string;
  /** As it was declared: `{email: 1}`. */
  readonly key: Document;
  readonly fields: readonly { readonly name: string; readonly path: readonly string[] }[];
  readonly unique: boolean;
  /** Documents without any of the fields are not in it. */
  readonly sparse: boolean;
  /** Some document has an array there: an entry for each element, so that one document may come up several times. */
  multikey: boolean;
}

export interface CollectionInfo {
  readonly id: number;
  readonly name: string;
  readonly indexes: readonly IndexInfo[];
}

export const tableOf = ({ id }: CollectionInfo): string => `c${id}`;
export const entriesOf = ({ id }: IndexInfo): string => `x${id}`;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS _collections (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS _indexes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, name TEXT NOT NULL, key BLOB NOT NULL,
    is_unique INTEGER NOT NULL, sparse INTEGER NOT NULL, multikey INTEGER NOT NULL, UNIQUE (collection, name));
  CREATE TABLE IF NOT EXISTS _retries (session BLOB PRIMARY KEY, number INTEGER NOT NULL, reply BLOB NOT NULL, at INTEGER NOT NULL)`;

/** The collections of a database and their indexes, as its file says and as memory repeats it. */
export class Catalog {
  readonly #file: SqliteFile;
  #collections = new Map<string, CollectionInfo>();

  constructor(file: SqliteFile) {
    this.#file = file;
    file.exec(SCHEMA);
    this.reload();
  }

  /** After a rollback: what was made in the transaction is not there. */
  reload(): void {
    const indexes = new Map<number, IndexInfo[]>();
    const rows = this.#file.all(
      'SELECT id, collection, name, key, is_unique, sparse, multikey FROM _indexes ORDER BY id',
    );
    for (const [id, collection, name, key, unique, sparse, multikey] of rows) {
      const list = indexes.get(Number(collection)) ?? [];
      list.push(indexInfo(Number(id), String(name), readDocument(blob(key)), unique === 1, sparse === 1));
      const last = list.at(-1);
      if (last !== undefined) last.multikey = multikey === 1;
      indexes.set(Number(collection), list);
    }
    const collections = this.#file.all('SELECT id, name FROM _collections ORDER BY name');
    this.#collections = new Map(
      collections.map(([id, name]) => [
        String(name),
        { id: Number(id), name: String(name), indexes: indexes.get(Number(id)) ?? [] },
      ]),
    );
  }

  /** As it is now; a change makes another one, so that it stays what was committed while a transaction goes on. */
  get collections(): ReadonlyMap<string, CollectionInfo> {
    return this.#collections;
  }

  find(name: string): CollectionInfo | null {
    return this.#collections.get(name) ?? null;
  }

  create(name: string): CollectionInfo {
    checkName(name);
    if (this.#collections.size >= DOCUMENT_LIMITS.collections)
      throw new DocumentError(
        'InvalidNamespace',
        `a database holds at most ${DOCUMENT_LIMITS.collections} collections`,
      );
    const { rowid: id } = this.#file.run('INSERT INTO _collections (name) VALUES (?)', name);
    this.#file.exec(
      `CREATE TABLE c${id} (rid INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, doc BLOB NOT NULL)`,
    );
    const info = { id, name, indexes: [] };
    this.#collections = new Map(this.#collections).set(name, info);
    return info;
  }

  drop(collection: CollectionInfo): void {
    for (const index of collection.indexes) this.dropIndex(collection, index.name);
    this.#file.forgetStatements();
    this.#file.exec(`DROP TABLE ${tableOf(collection)}`);
    this.#file.run('DELETE FROM _collections WHERE id = ?', collection.id);
    const left = new Map(this.#collections);
    left.delete(collection.name);
    this.#collections = left;
  }

  createIndex(
    collection: CollectionInfo,
    name: string,
    key: Document,
    options: { readonly unique: boolean; readonly sparse: boolean },
  ): IndexInfo {
    if (collection.indexes.length >= DOCUMENT_LIMITS.indexes)
      throw new DocumentError(
        'CannotCreateIndex',
        `a collection has at most ${DOCUMENT_LIMITS.indexes} indexes`,
      );
    const { unique, sparse } = options;
    const { rowid: id } = this.#file.run(
      'INSERT INTO _indexes (collection, name, key, is_unique, sparse, multikey) VALUES (?, ?, ?, ?, ?, 0)',
      ...[collection.id, name, serialize(key), unique ? 1 : 0, sparse ? 1 : 0],
    );
    this.#file.exec(
      `CREATE TABLE x${id} (key BLOB NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY (key, rid)) WITHOUT ROWID;
       CREATE INDEX x${id}r ON x${id} (rid)`,
    );
    const index = indexInfo(id, name, key, unique, sparse);
    this.#replace(collection.name, (indexes) => [...indexes, index]);
    return index;
  }

  dropIndex(collection: CollectionInfo, name: string): void {
    const index = collection.indexes.find((each) => each.name === name);
    if (index === undefined)
      throw new DocumentError('IndexNotFound', `index not found with name [${name.slice(0, 120)}]`);
    this.#file.forgetStatements();
    this.#file.exec(`DROP TABLE ${entriesOf(index)}`);
    this.#file.run('DELETE FROM _indexes WHERE id = ?', index.id);
    this.#replace(collection.name, (indexes) => indexes.filter((each) => each !== index));
  }

  markMultikey(index: IndexInfo): void {
    if (index.multikey) return;
    index.multikey = true;
    this.#file.run('UPDATE _indexes SET multikey = 1 WHERE id = ?', index.id);
  }

  #replace(name: string, change: (indexes: readonly IndexInfo[]) => readonly IndexInfo[]): void {
    const known = this.#collections.get(name);
    if (known === undefined) return;
    this.#collections = new Map(this.#collections).set(name, { ...known, indexes: change(known.indexes) });
  }
}

const indexInfo = (id: number, name: string, key: Document, unique: boolean, sparse: boolean): IndexInfo => ({
  ...{ id, name, key, unique, sparse, multikey: false },
  fields: Object.keys(key).map((field) => ({ name: field, path: splitPath(field) })),
});

/** MongoDB's rules for names, and its bound. */
export function checkName(name: string): void {
  const bad = name === '' || name.includes('$') || name.includes('\0') || name.startsWith('system.');
  if (bad || name.startsWith('.') || name.endsWith('.') || Buffer.byteLength(name) > 235)
    throw new DocumentError('InvalidNamespace', `Invalid collection name: ${name.slice(0, 120)}`);
}
