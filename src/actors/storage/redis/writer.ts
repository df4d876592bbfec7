import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import { notOneRow } from '../../../protocol/one-row.ts';
import type {
  DeleteQuery,
  Filter,
  InsertQuery,
  OrderTerm,
  Query,
  Row,
  UpdateQuery,
} from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';
import type { ExecuteContext, QueryResult } from '../engine.ts';
import type { CollectionFacts } from './collection.ts';
import { type Change, idOf, tooMany } from './commit.ts';
import { targetOf } from './conflict-target.ts';
import { DocumentFilter } from './document-filter.ts';
import { comparator, projection, StoredDocument } from './documents.ts';
import { documentId } from './ids.ts';
import { idText } from './keys.ts';
import { findSource } from './read-plan.ts';
import { shown } from './reader.ts';
import { type DocumentSource, tooLarge } from './store.ts';

export type WriteQuery = Exclude<Query, { kind: 'select' }>;

/** What a write will do, and what it gives back. */
export interface Draft {
  readonly changes: readonly Change[];
  readonly result: QueryResult;
}

interface Decided {
  readonly changes: readonly Change[];
  readonly shown: readonly StoredDocument[];
  readonly inserted?: number;
}

/**
 * Decides what a write does, from what the source says: nothing is written here. Throws StaleFacts where the indexes
 * are others by now, and what the write is refused with.
 */
export async function draftWrite(
  source: DocumentSource,
  query: WriteQuery,
  facts: CollectionFacts,
  context: ExecuteContext,
  host: Host,
): Promise<Draft> {
  const decided = await decide(source, query, facts, context, host);
  const { changes, inserted } = decided;
  const json =
    query.returning === undefined
      ? '[]'
      : shown(inOrder(decided.shown, query.order), projection(query.returning));
  if (query.maxAffected !== undefined && changes.length > query.maxAffected) {
    throw new MagError('PGRST124', {}, { details: `The query affects ${changes.length} rows` });
  }
  if (query.kind !== 'insert' && query.single === true && changes.length > 1) throw notOneRow(changes.length);
  const result = { json, rowCount: decided.shown.length, total: null, totalKind: null };
  return { changes, result: inserted === undefined ? result : { ...result, inserted } };
}

/** Documents come as they were given, or found, where no order is asked for. */
function inOrder(
  documents: readonly StoredDocument[],
  order: readonly OrderTerm[] = [],
): readonly StoredDocument[] {
  if (order.length === 0) return documents;
  const compare = comparator(order);
  return documents.toSorted((left, right) => compare(left.document, right.document));
}

function decide(
  source: DocumentSource,
  query: WriteQuery,
  facts: CollectionFacts,
  context: ExecuteContext,
  host: Host,
): Promise<Decided> {
  if (query.kind === 'insert') return insert(source, query, facts, context, host);
  return query.kind === 'update'
    ? update(source, query, facts, context)
    : remove(source, query, facts, context);
}

async function insert(
  source: DocumentSource,
  query: InsertQuery,
  facts: CollectionFacts,
  context: ExecuteContext,
  host: Host,
): Promise<Decided> {
  const { onConflict, table } = query;
  const target = targetOf(onConflict?.columns, facts);
  const given = query.rows.map((row) => withId(only(row, query.columns), host));
  // Where a conflict is an error it shows when it is written; a transaction is written later, and looks now.
  const looks = onConflict !== undefined || source.looksFirst;
  const there = looks
    ? await target.held(source, table, given, facts, context)
    : new Map<string, StoredDocument>();
  const written = new Map<
    string,
    { readonly before: StoredDocument | null; readonly after: StoredDocument }
  >();
  const check = checkOf(query.check);
  let inserted = 0;
  for (const row of given) {
    const name = target.keyOf(row.document) ?? `id ${idText(row.id)}`;
    const before = there.get(name) ?? null;
    const now = written.get(name)?.after ?? before;
    if (now !== null) {
      if (onConflict === undefined) throw duplicate(table, 'id', idText(row.id));
      if (onConflict.resolution === 'ignore') continue;
    } else inserted += 1;
    const document = now === null ? row.document : merged(now.document, row.document, row.generated);
    requireCheck(check, document, query, context);
    written.set(name, { before, after: stored(document) });
  }
  const changes = [...written.values()].map((change) => ({ id: idOf(change.after.document), ...change }));
  return { changes, shown: documentsOf(changes), ...(onConflict === undefined ? {} : { inserted }) };
}

/** What is there with the row over it; its id stays. Throws where the row says another one. */
function merged(there: Row, row: Row, generated: boolean): Row {
  const id = idOf(there);
  if (!generated && idText(idOf(row)) !== idText(id)) throw fixedId();
  return { ...there, ...row, id };
}

async function update(
  source: DocumentSource,
  query: UpdateQuery,
  facts: CollectionFacts,
  context: ExecuteContext,
): Promise<Decided> {
  const changes: Change[] = [];
  const wanted = query.set.id;
  const check = checkOf(query.check);
  for (const before of await matching(source, query, facts, context)) {
    const id = idOf(before.document);
    if (wanted !== undefined && (wanted === null || String(wanted) !== idText(id))) throw fixedId();
    const document = { ...before.document, ...query.set, id };
    requireCheck(check, document, query, context);
    const after = stored(document);
    changes.push({ id, before, after: after.text === before.text ? before : after });
  }
  return { changes, shown: documentsOf(changes) };
}

async function remove(
  source: DocumentSource,
  query: DeleteQuery,
  facts: CollectionFacts,
  context: ExecuteContext,
): Promise<Decided> {
  const found = await matching(source, query, facts, context);
  return {
    changes: found.map((before) => ({ id: idOf(before.document), before, after: null })),
    shown: found,
  };
}

/** All documents of an update or a deletion, in the order of ids, and bounded: they change in one step. */
async function matching(
  store: DocumentSource,
  { table, where }: UpdateQuery | DeleteQuery,
  facts: CollectionFacts,
  context: ExecuteContext,
): Promise<readonly StoredDocument[]> {
  const found: StoredDocument[] = [];
  let bytes = 0;
  const filter = where === undefined ? null : new DocumentFilter(where);
  for await (const batch of store.batches(table, findSource(where, facts), facts, false, context)) {
    for (const each of batch) {
      if (filter?.tired === true) await store.rest(context);
      if (filter !== null && !filter.selects(each.document)) continue;
      bytes += each.text.length;
      if (found.length >= REDIS_LIMITS.writtenDocuments) throw tooMany();
      if (bytes > LIMITS.resultBytes) throw tooLarge();
      found.push(each);
    }
  }
  return found;
}

const stored = (document: Row): StoredDocument => new StoredDocument(stringifyExact(document));

const documentsOf = (changes: readonly Change[]): readonly StoredDocument[] =>
  changes.flatMap(({ after }) => (after === null ? [] : [after]));

/** The named fields of a row; all where none are named. */
const only = (row: Row, columns: readonly string[] | undefined): Row =>
  columns === undefined
    ? row
    : Object.fromEntries(Object.entries(row).filter(([name]) => columns.includes(name)));

interface GivenRow {
  readonly id: string | number;
  readonly document: Row;
  /** The row came without an id. */
  readonly generated: boolean;
}

function withId(row: Row, host: Host): GivenRow {
  const { id: given, ...rest } = row;
  const id = documentId(given, host);
  return { id, document: { id, ...rest }, generated: given === undefined || given === null };
}

const checkOf = (filter: Filter | undefined): DocumentFilter | null =>
  filter === undefined ? null : new DocumentFilter(filter);

function requireCheck(
  check: DocumentFilter | null,
  document: Row,
  query: WriteQuery,
  { principal }: ExecuteContext,
): void {
  if (check === null || check.selects(document)) return;
  throw new MagError('MAG_FORBIDDEN', { role: principal.role, action: query.kind, table: query.table });
}

/** What PostgreSQL says of it. */
export function duplicate(collection: string, field: string, value?: string): DatabaseError {
  const constraint = field === 'id' ? `${collection}_pkey` : `${collection}_${field}_key`;
  const shownValue = value === undefined ? '' : `=(${value.slice(0, 200)})`;
  return new DatabaseError('23505', `duplicate key value violates unique constraint "${constraint}"`, {
    details: `Key (${field})${shownValue} already exists.`,
  });
}

const fixedId = (): MagError =>
  new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what: 'change the id of a document' });
