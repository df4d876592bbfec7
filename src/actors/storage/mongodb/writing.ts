import type { Document } from 'bson';
import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { notOneRow } from '../../../protocol/one-row.ts';
import type { DeleteQuery, Filter, InsertQuery, UpdateQuery } from '../../../protocol/query.ts';
import { beyondDocuments } from '../capabilities.ts';
import { compileFilter as compilePredicate } from '../documents/matcher.ts';
import type { QueryResult } from '../engine.ts';
import { fieldOf, KEY, unsupported } from './fields.ts';
import { compileFilter } from './filter.ts';
import { sortDocuments } from './ordering.ts';
import { eachDocument, RowTexts } from './reading.ts';
import type { Commands } from './session.ts';
import { shapeOf } from './shape.ts';
import { keyValue, toBson, toDocument } from './values.ts';

/** What a write needs beside its commands. */
export interface WriteContext {
  readonly commands: Commands;
  /** On whose behalf, for the message of a refused write. */
  readonly role: string;
  /** Whether the columns of an upsert's target are what a unique index is over. */
  readonly isUnique: boolean;
}

type Returned = Pick<InsertQuery, 'returning' | 'order'>;

const NOTHING = { total: null, totalKind: null } as const;

function resultOf(
  documents: readonly Document[],
  { returning, order }: Returned,
  written: number,
): QueryResult {
  if (returning === undefined) return { json: '[]', rowCount: written, ...NOTHING };
  const { toText } = shapeOf(returning);
  const rows = new RowTexts();
  for (const document of sortDocuments(documents, order ?? [])) rows.add(toText(document));
  return { json: rows.toJson(), rowCount: rows.count, ...NOTHING };
}

/** Throws MAG_FORBIDDEN where a written document does not satisfy the check. */
function requireChecked(
  check: Filter | undefined,
  documents: readonly Document[],
  action: string,
  table: string,
  role: string,
): void {
  if (check === undefined) return;
  // The same query that the server would run, on what it stored.
  const holds = compilePredicate(compileFilter(check));
  if (documents.every(holds)) return;
  throw new MagError('MAG_FORBIDDEN', { role, action, table });
}

function requireAtMost(most: number | undefined, affected: number): void {
  if (most === undefined || affected <= most) return;
  throw new MagError('PGRST124', {}, { details: `The query affects ${affected} rows` });
}

async function find(
  commands: Commands,
  table: string,
  filter: Document,
  projection?: Document,
): Promise<Document[]> {
  const found: Document[] = [];
  const command = {
    find: table,
    filter,
    batchSize: 1_000,
    ...(projection === undefined ? {} : { projection }),
  };
  await eachDocument(commands, command, table, (document) => {
    if (found.length >= LIMITS.maxRows)
      throw new MagError('MAG_RESULT_TOO_LARGE', { limit: `${LIMITS.maxRows} rows in one write` });
    found.push(document);
  });
  return found;
}

const keysOf = (documents: readonly Document[]): readonly unknown[] =>
  documents.map((document) => document['_id']);

/** The door refuses by capability what documents cannot; whoever comes past it ends here. */
function refuseBeyond(query: InsertQuery | UpdateQuery | DeleteQuery): void {
  const what = beyondDocuments(query);
  if (what !== null) throw unsupported(what);
}

export async function runInsert(query: InsertQuery, context: WriteContext): Promise<QueryResult> {
  refuseBeyond(query);
  const { table, rows, columns, check, onConflict } = query;
  for (const column of columns ?? []) fieldOf(column);
  const documents = rows.map((row) => toDocument(row, columns));
  if (onConflict !== undefined) return runUpsert(query, documents, context);
  requireAtMost(query.maxAffected, documents.length);
  requireChecked(check, documents, 'insert', table, context.role);
  await context.commands.run({ insert: table, documents });
  return resultOf(documents, query, documents.length);
}

/** Fields that decide whether a row is there already. Throws 42P10 where nothing keeps them unique. */
function targetOf(query: InsertQuery, { isUnique }: WriteContext): readonly string[] {
  const columns = query.onConflict?.columns ?? [KEY];
  const fields = columns.map(fieldOf);
  const isKey = fields.length === 1 && fields[0] === '_id';
  if (!isKey && !isUnique)
    throw new DatabaseError('42P10', 'there is no unique constraint matching the ON CONFLICT specification', {
      hint: `Make a unique index on (${columns.join(', ')}).`,
    });
  return fields;
}

interface Upsert {
  readonly document: Document;
  /** Whether the row named its key itself. */
  readonly keyed: boolean;
  readonly q: Document;
  readonly u: Document;
}

function upsertOf(document: Document, keyed: boolean, fields: readonly string[], merge: boolean): Upsert {
  const { _id: key, ...others } = document;
  const q = Object.fromEntries(fields.map((field) => [field, { $eq: document[field] ?? null }]));
  const isKey = fields.length === 1 && fields[0] === '_id';
  const fresh = Object.fromEntries(Object.entries(others).filter(([field]) => !fields.includes(field)));
  // A key cannot change in MongoDB: it is set where the document is new, and held against the row afterwards.
  const onInsert = isKey ? {} : { _id: key };
  const u = merge
    ? { $set: fresh, ...(isKey ? {} : { $setOnInsert: onInsert }) }
    : { $setOnInsert: { ...fresh, ...onInsert } };
  return { document, keyed, q, u };
}

/** A row without a value for the target conflicts with nothing, as nulls do not in SQL. */
const conflicts = (document: Document, fields: readonly string[]): boolean =>
  fields.every((field) => document[field] !== undefined && document[field] !== null);

async function runUpsert(
  query: InsertQuery,
  documents: readonly Document[],
  context: WriteContext,
): Promise<QueryResult> {
  const { table, rows, columns, check, maxAffected } = query;
  const { commands, role } = context;
  const fields = targetOf(query, context);
  const merge = query.onConflict?.resolution === 'merge';
  const isKeyed = (index: number): boolean => {
    const row = rows[index] ?? {};
    return row[KEY] !== undefined && row[KEY] !== null && columns?.includes(KEY) !== false;
  };
  const byKey = fields.includes('_id');
  const plain = documents.filter(
    (document, index) => !conflicts(document, fields) || (byKey && !isKeyed(index)),
  );
  const upserts = documents.flatMap((document, index) =>
    plain.includes(document) ? [] : [upsertOf(document, isKeyed(index), fields, merge)],
  );
  requireTwiceNever(upserts, merge);
  if (plain.length > 0) await commands.run({ insert: table, documents: plain });
  const made = new Set<number>();
  if (upserts.length > 0) {
    const updates = upserts.map(({ q, u }) => ({ q, u, upsert: true }));
    const reply = await commands.run({ update: table, updates });
    for (const { index } of (reply['upserted'] ?? []) as readonly Document[]) made.add(Number(index)); // the protocol's own shape
  }
  const touched = merge ? upserts : upserts.filter((_, index) => made.has(index));
  requireAtMost(maxAffected, plain.length + touched.length);
  const stored = await storedOf(table, touched, commands);
  const written = [...plain, ...stored];
  requireChecked(check, written, 'insert', table, role);
  const result = resultOf(inOrder(documents, plain, touched, stored), query, written.length);
  return { ...result, inserted: plain.length + made.size };
}

/** PostgreSQL refuses to change one row twice in one statement: which of the two came last would be chance. */
function requireTwiceNever(upserts: readonly Upsert[], merge: boolean): void {
  if (!merge) return;
  const seen = new Set(upserts.map(({ q }) => JSON.stringify(q)));
  if (seen.size < upserts.length)
    throw new DatabaseError('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time');
}

/** Documents after their upsert, each in the place of its own. */
async function storedOf(
  table: string,
  upserts: readonly Upsert[],
  commands: Commands,
): Promise<readonly Document[]> {
  const stored: Document[] = [];
  for (const { q, document, keyed } of upserts) {
    const [found] = await find(commands, table, q);
    if (found === undefined) throw new Error('an upsert left no document');
    if (keyed && String(found['_id']) !== String(document['_id']))
      throw unsupported('change the id of a document');
    stored.push(found);
  }
  return stored;
}

/** What was written, in the order of the rows. */
function inOrder(
  documents: readonly Document[],
  plain: readonly Document[],
  touched: readonly Upsert[],
  stored: readonly Document[],
): readonly Document[] {
  const results = new Map<Document, Document>(plain.map((document) => [document, document]));
  for (const [index, { document }] of touched.entries()) results.set(document, stored[index] ?? document);
  return documents.flatMap((document) => results.get(document) ?? []);
}

/** The fields that an update sets, and the key that it would set, which must be the document's own. */
function changesOf(query: UpdateQuery): { readonly set: Document; readonly key: unknown } {
  const set: Document = {};
  let key: unknown;
  for (const [name, value] of Object.entries(query.set)) {
    const field = fieldOf(name);
    if (field === '_id') key = keyValue(value);
    else set[field] = toBson(value);
  }
  return { set, key };
}

/** The reply of a findAndModify as a result: the document that it changed or removed, or none. */
function foundResult(reply: Document, query: Returned): QueryResult {
  const value: unknown = reply['value'];
  const found = typeof value === 'object' && value !== null ? [value] : [];
  return resultOf(found, query, found.length);
}

/** Whether the write may be left to MongoDB's own atomicity where it is one document's affair. */
export const isSimple = (query: UpdateQuery | DeleteQuery): boolean =>
  query.maxAffected !== 0 &&
  (query.kind === 'delete' || (query.check === undefined && query.set[KEY] === undefined));

/**
 * A write that touches no document, or one: null where there are more, which need a transaction. What was found is
 * held against the filter once more by the write itself.
 */
export async function runSimple(
  query: UpdateQuery | DeleteQuery,
  commands: Commands,
): Promise<QueryResult | null> {
  refuseBeyond(query);
  const { table, returning } = query;
  const filter = compileFilter(query.where);
  const { cursor } = await commands.run({
    find: table,
    filter,
    projection: { _id: 1 },
    limit: 2,
    singleBatch: true,
  });
  const [first, second] = cursor.firstBatch as readonly Document[]; // the protocol's own shape
  if (second !== undefined) return null;
  const set = query.kind === 'update' ? changesOf(query).set : {};
  if (first === undefined) return resultOf([], query, 0);
  const key = { _id: { $eq: first['_id'] } };
  const q = Object.keys(filter).length === 0 ? key : { $and: [key, filter] };
  if (query.kind === 'delete') {
    if (returning !== undefined)
      return foundResult(await commands.run({ findAndModify: table, query: q, remove: true }), query);
    const reply = await commands.run({ delete: table, deletes: [{ q, limit: 1 }] });
    return resultOf([], query, Number(reply['n']));
  }
  if (returning !== undefined)
    return foundResult(
      await commands.run({ findAndModify: table, query: q, update: { $set: set }, new: true }),
      query,
    );
  const reply = await commands.run({ update: table, updates: [{ q, u: { $set: set } }] });
  return resultOf([], query, Number(reply['n']));
}

export async function runUpdate(query: UpdateQuery, context: WriteContext): Promise<QueryResult> {
  refuseBeyond(query);
  const { table, returning, check } = query;
  const { commands, role } = context;
  const { set, key } = changesOf(query);
  const filter = compileFilter(query.where);
  const before = await find(commands, table, filter, { _id: 1 });
  if (key !== undefined && before.some((document) => String(document['_id']) !== String(key)))
    throw unsupported('change the id of a document');
  if (query.single === true && before.length > 1) throw notOneRow(before.length);
  requireAtMost(query.maxAffected, before.length);
  if (before.length === 0) return resultOf([], query, 0);
  const q = { _id: { $in: keysOf(before) } };
  if (Object.keys(set).length > 0)
    await commands.run({ update: table, updates: [{ q, u: { $set: set }, multi: true }] });
  const after = check === undefined && returning === undefined ? [] : await find(commands, table, q);
  requireChecked(check, after, 'update', table, role);
  return resultOf(after, query, before.length);
}

export async function runDelete(query: DeleteQuery, { commands }: WriteContext): Promise<QueryResult> {
  refuseBeyond(query);
  const { table, returning } = query;
  const filter = compileFilter(query.where);
  const before = await find(commands, table, filter, returning === undefined ? { _id: 1 } : undefined);
  if (query.single === true && before.length > 1) throw notOneRow(before.length);
  requireAtMost(query.maxAffected, before.length);
  if (before.length > 0)
    await commands.run({ delete: table, deletes: [{ q: { _id: { $in: keysOf(before) } }, limit: 0 }] });
  return resultOf(before, query, before.length);
}
