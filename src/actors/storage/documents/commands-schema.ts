import type { Document } from 'bson';
import { sameValue } from './bson-key.ts';
import { Candidates } from './candidates.ts';
import type { CollectionInfo, IndexInfo } from './catalog.ts';
import { checkName } from './catalog.ts';
import { addToIndex } from './collection.ts';
import {
  type Command,
  type CommandContext,
  collectionOf,
  documents,
  type Reply,
  text,
  type WriteView,
  writing,
} from './command.ts';
import { DocumentError } from './document-error.ts';
import { readDocument } from './wire.ts';

/** Options of a new collection that mean nothing here; any other one is refused. */
const IGNORED_OPTIONS = new Set([
  'create',
  'writeConcern',
  'comment',
  'lsid',
  'txnNumber',
  'autocommit',
  'startTransaction',
]);

function create(context: CommandContext): Promise<Reply> {
  const { body, database } = context;
  const name = text(body['create'], 'create');
  for (const [option, value] of Object.entries(body)) {
    if (IGNORED_OPTIONS.has(option) || option.startsWith('$') || value === false || option === 'maxTimeMS')
      continue;
    throw new DocumentError('InvalidOptions', `the option ${option.slice(0, 40)} of create is not supported`);
  }
  checkName(name);
  return writing(context, async (view) => {
    if (view.database.catalog.find(name) !== null)
      throw new DocumentError('NamespaceExists', `Collection ${database}.${name} already exists.`);
    view.database.catalog.create(name);
    return { ok: 1 };
  });
}

function drop(context: CommandContext): Promise<Reply> {
  const { body, database } = context;
  const name = text(body['drop'], 'drop');
  return writing(context, async (view) => {
    const collection = view.database.catalog.find(name);
    if (collection === null) return { ok: 1 };
    const nIndexesWas = collection.indexes.length + 1;
    view.database.catalog.drop(collection);
    return { nIndexesWas, ns: `${database}.${name}`, ok: 1 };
  });
}

const INDEX_OPTIONS = new Set(['key', 'name', 'unique', 'sparse', 'v', 'background', 'ns', 'hidden']);

interface IndexSpec {
  readonly name: string;
  readonly key: Document;
  readonly unique: boolean;
  readonly sparse: boolean;
}

function readSpec(spec: Document): IndexSpec {
  const refuse = (problem: string): never => {
    throw new DocumentError('CannotCreateIndex', problem);
  };
  const { key, name } = spec;
  if (typeof key !== 'object' || key === null || Object.keys(key as Document).length === 0)
    return refuse('Index keys cannot be an empty object');
  for (const [field, direction] of Object.entries(key as Document)) {
    if (direction !== 1 && direction !== -1)
      refuse(`an index of the kind ${JSON.stringify(direction)?.slice(0, 40)} is not supported`);
    if (field === '' || field.startsWith('$')) refuse(`a field cannot be indexed under the name ${field}`);
  }
  for (const [option, value] of Object.entries(spec))
    if (!INDEX_OPTIONS.has(option) && value !== false)
      refuse(`the index option ${option.slice(0, 40)} is not supported`);
  const { unique, sparse } = spec;
  return { name: text(name, 'name'), key: key as Document, unique: unique === true, sparse: sparse === true };
}

/** Whether the index is there already. Throws where another one has its name or its key. */
function isKnown(collection: CollectionInfo, { name, key, unique, sparse }: IndexSpec): boolean {
  if (sameValue(key, { _id: 1 })) return true;
  for (const index of collection.indexes) {
    const sameKey = sameValue(index.key, key);
    const same = sameKey && index.unique === unique && index.sparse === sparse;
    if (index.name === name) {
      if (same) return true;
      throw new DocumentError(
        'IndexKeySpecsConflict',
        `An existing index has the same name as the requested index: ${name}`,
      );
    }
    if (sameKey)
      throw new DocumentError(
        'IndexOptionsConflict',
        `Index already exists with a different name: ${index.name}`,
      );
  }
  return false;
}

async function build(
  context: CommandContext,
  view: WriteView,
  name: string,
  index: IndexInfo,
): Promise<void> {
  const collection = collectionOf(view, name);
  const target = view.database.target(view.holder, collection);
  const candidates = new Candidates(collection, { kind: 'scan' });
  while (!candidates.done) {
    context.operation.check();
    for (const { rid, bytes } of candidates.next(target.file, context.operation))
      addToIndex(target, index, rid, readDocument(bytes));
    await context.operation.breathe();
  }
}

function createIndexes(context: CommandContext): Promise<Reply> {
  const { body } = context;
  const name = text(body['createIndexes'], 'createIndexes');
  const specs = documents(body['indexes'], 'indexes').map(readSpec);
  return writing(context, async (view) => {
    const created = view.database.catalog.find(name) === null;
    const numIndexesBefore = collectionOf(view, name).indexes.length + 1;
    for (const spec of specs) {
      const collection = collectionOf(view, name);
      if (isKnown(collection, spec)) continue;
      const index = view.database.catalog.createIndex(collection, spec.name, spec.key, spec);
      await build(context, view, name, index);
    }
    const numIndexesAfter = collectionOf(view, name).indexes.length + 1;
    return { numIndexesBefore, numIndexesAfter, createdCollectionAutomatically: created, ok: 1 };
  });
}

function namesToDrop(collection: CollectionInfo, wanted: unknown): readonly string[] {
  if (wanted === '*') return collection.indexes.map((index) => index.name);
  if (wanted === '_id_') throw new DocumentError('InvalidOptions', 'cannot drop _id index');
  if (Array.isArray(wanted)) return wanted.map((name) => text(name, 'index'));
  if (typeof wanted === 'string') return [wanted];
  const found = collection.indexes.find((index) => sameValue(index.key, wanted));
  if (found === undefined) throw new DocumentError('IndexNotFound', "can't find index with that key");
  return [found.name];
}

function dropIndexes(context: CommandContext): Promise<Reply> {
  const { body, database } = context;
  const name = text(body['dropIndexes'] ?? body['deleteIndexes'], 'dropIndexes');
  return writing(context, async (view) => {
    const collection = view.database.catalog.find(name);
    if (collection === null) throw new DocumentError('NamespaceNotFound', `ns not found ${database}.${name}`);
    const nIndexesWas = collection.indexes.length + 1;
    for (const index of namesToDrop(collection, body['index']))
      view.database.catalog.dropIndex(collectionOf(view, name), index);
    return { nIndexesWas, ok: 1 };
  });
}

export const SCHEMA_COMMANDS: Readonly<Record<string, Command>> = {
  create: { run: create, for: 'writer', inTransaction: true },
  drop: { run: drop, for: 'writer' },
  createIndexes: { run: createIndexes, for: 'writer', inTransaction: true },
  dropIndexes: { run: dropIndexes, for: 'writer' },
  deleteIndexes: { run: dropIndexes, for: 'writer' },
};
