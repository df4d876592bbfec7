import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import { matches } from '../../../protocol/filter-match.ts';
import { notOneRow } from '../../../protocol/one-row.ts';
import type { DeleteQuery, Filter, InsertQuery, Query, Row, UpdateQuery } from '../../../protocol/query.ts';
import type { Host } from '../../../runtime/host.ts';
import type { ExecuteContext, QueryResult } from '../engine.ts';
import type { CollectionFacts } from './collection.ts';
import { type Change, commit, idOf, type Outcome, tooMany } from './commit.ts';
import { projection, StoredDocument } from './documents.ts';
import { documentId } from './ids.ts';
import { idText } from './keys.ts';
import { findSource } from './read-plan.ts';
import { shown } from './reader.ts';
import { clientGone } from './session.ts';
import { type DocumentStore, StaleFacts, tooLarge } from './store.ts';

type WriteQuery = Exclude<Query, { kind: 'select' }>;

/** What a write will do, and what it gives back. */
interface Draft {
  readonly changes: readonly Change[];
  readonly shown: readonly StoredDocument[];
  readonly inserted?: number;
}

/** Runs the writes of the grammar: read, decide, and write on condition that nothing changed in between. */
export class DocumentWriter {
  readonly #store: DocumentStore;
  readonly #host: Host;
  /** Per collection the end of the writes that met another one: they take turns, instead of meeting again. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(store: DocumentStore, host: Host) {
    this.#store = store;
    this.#host = host;
  }

  async run(query: WriteQuery, context: ExecuteContext): Promise<QueryResult> {
    if (context.signal?.aborted === true) throw clientGone();
    const first = await this.#attempt(query, context);
    return first ?? this.#inTurn(query.table, () => this.#insist(query, context));
  }

  async #insist(query: WriteQuery, context: ExecuteContext): Promise<QueryResult> {
    for (let attempt = 0; attempt < REDIS_LIMITS.writeTries; attempt += 1) {
      const result = await this.#attempt(query, context);
      if (result !== null) return result;
    }
    throw new MagError('MAG_OVERLOADED', { what: 'the documents are being changed by many at once' });
  }

  /** Null where somebody else wrote in between: then it did nothing. */
  async #attempt(query: WriteQuery, context: ExecuteContext): Promise<QueryResult | null> {
    const facts = await this.#store.facts(query.table, context);
    let draft: Draft;
    try {
      draft = await this.#draft(query, facts, context);
    } catch (error) {
      if (error instanceof StaleFacts) return null;
      throw error;
    }
    const { changes } = draft;
    const returned = query.returning === undefined ? '[]' : shown(draft.shown, projection(query.returning));
    if (query.maxAffected !== undefined && changes.length > query.maxAffected)
      throw tooManyAffected(changes.length);
    if (query.kind !== 'insert' && query.single === true && changes.length > 1)
      throw notOneRow(changes.length);
    const dry = context.rollback === true;
    if (changes.length > 0) {
      const outcome = await commit(this.#store, query.table, facts, changes, context, { dry });
      if (outcome.kind !== 'done') return this.#again(outcome, query);
    }
    return {
      ...{ json: returned, rowCount: draft.shown.length, total: null, totalKind: null },
      ...(draft.inserted === undefined ? {} : { inserted: draft.inserted }),
    };
  }

  #again(outcome: Outcome, query: WriteQuery): null {
    if (outcome.kind === 'exists' && query.kind === 'insert' && query.onConflict === undefined) {
      throw duplicate(query.table, outcome.id);
    }
    return null;
  }

  #draft(query: WriteQuery, facts: CollectionFacts, context: ExecuteContext): Promise<Draft> {
    if (query.kind === 'insert') return this.#insert(query, context);
    if (facts.text === '') throw new MagError('PGRST205', { table: query.table });
    return query.kind === 'update'
      ? this.#update(query, facts, context)
      : this.#delete(query, facts, context);
  }

  async #insert(query: InsertQuery, context: ExecuteContext): Promise<Draft> {
    const { onConflict } = query;
    const target = onConflict?.columns ?? [];
    if (target.length > 0 && (target.length > 1 || target[0] !== 'id')) throw noSuchKey();
    const given = query.rows.map((row) => withId(only(row, query.columns), this.#host));
    const there = onConflict === undefined ? new Map() : await this.#held(query.table, given, context);
    const written = new Map<string, Change>();
    let inserted = 0;
    for (const { id, row } of given) {
      const name = idText(id);
      const before = there.get(name) ?? null;
      const now = written.get(name)?.after ?? before;
      if (now !== null) {
        if (onConflict === undefined) throw duplicate(query.table, name);
        if (onConflict.resolution === 'ignore') continue;
      } else inserted += 1;
      const document: Row = now === null ? row : { ...now.document, ...row, id: idOf(now.document) };
      requireCheck(query.check, document, query, context);
      written.set(name, { id: idOf(document), before, after: stored(document) });
    }
    const changes = [...written.values()];
    return { changes, shown: documentsOf(changes), ...(onConflict === undefined ? {} : { inserted }) };
  }

  /** Which of the ids are taken, and by what. */
  async #held(
    collection: string,
    given: readonly { readonly id: string | number }[],
    context: ExecuteContext,
  ): Promise<ReadonlyMap<string, StoredDocument>> {
    const ids = given.map(({ id }) => idText(id));
    const found = new Map<string, StoredDocument>();
    const facts = { text: '', indexes: [] };
    for await (const batch of this.#store.batches(collection, { kind: 'ids', ids }, facts, false, context)) {
      for (const each of batch) found.set(idText(idOf(each.document)), each);
    }
    return found;
  }

  async #update(query: UpdateQuery, facts: CollectionFacts, context: ExecuteContext): Promise<Draft> {
    const changes: Change[] = [];
    for (const before of await this.#matching(query, facts, context)) {
      const id = idOf(before.document);
      const document = { ...before.document, ...query.set, id };
      const wanted = query.set.id;
      if (wanted !== undefined && wanted !== null && String(wanted) !== idText(id)) throw fixedId();
      if (wanted === null) throw fixedId();
      requireCheck(query.check, document, query, context);
      const after = stored(document);
      changes.push({ id, before, after: after.text === before.text ? before : after });
    }
    return { changes, shown: documentsOf(changes) };
  }

  async #delete(query: DeleteQuery, facts: CollectionFacts, context: ExecuteContext): Promise<Draft> {
    const found = await this.#matching(query, facts, context);
    return {
      changes: found.map((before) => ({ id: idOf(before.document), before, after: null })),
      shown: found,
    };
  }

  /** All documents of an update or a deletion, bounded: they change in one step. */
  async #matching(
    { table, where }: UpdateQuery | DeleteQuery,
    facts: CollectionFacts,
    context: ExecuteContext,
  ): Promise<readonly StoredDocument[]> {
    const found: StoredDocument[] = [];
    let bytes = 0;
    const source = findSource(where, facts);
    for await (const batch of this.#store.batches(table, source, facts, false, context)) {
      for (const each of batch) {
        if (where !== undefined && !matches(where, each.document)) continue;
        bytes += each.text.length;
        if (found.length >= REDIS_LIMITS.writtenDocuments) throw tooMany();
        if (bytes > LIMITS.resultBytes) throw tooLarge();
        found.push(each);
      }
    }
    return found;
  }

  #inTurn<Result>(collection: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#turns.get(collection) ?? Promise.resolve();
    const mine = before.catch(() => {}).then(work);
    this.#turns.set(collection, mine);
    const done = (): void => {
      if (this.#turns.get(collection) === mine) this.#turns.delete(collection);
    };
    mine.then(done, done);
    return mine;
  }
}

const stored = (document: Row): StoredDocument => new StoredDocument(stringifyExact(document));

const documentsOf = (changes: readonly Change[]): readonly StoredDocument[] =>
  changes.flatMap(({ after }) => (after === null ? [] : [after]));

/** The named fields of a row; all where none are named. */
const only = (row: Row, columns: readonly string[] | undefined): Row =>
  columns === undefined
    ? row
    : Object.fromEntries(Object.entries(row).filter(([name]) => columns.includes(name)));

function withId(row: Row, host: Host): { readonly id: string | number; readonly row: Row } {
  const id = documentId(row.id, host);
  const { id: _given, ...rest } = row;
  return { id, row: { id, ...rest } };
}

function requireCheck(
  check: Filter | undefined,
  document: Row,
  query: WriteQuery,
  { principal }: ExecuteContext,
): void {
  if (check === undefined || matches(check, document)) return;
  throw new MagError('MAG_FORBIDDEN', { role: principal.role, action: query.kind, table: query.table });
}

const duplicate = (collection: string, id: string): DatabaseError =>
  new DatabaseError('23505', `duplicate key value violates unique constraint "${collection}_pkey"`, {
    details: `Key (id)=(${id.slice(0, 200)}) already exists.`,
  });

const noSuchKey = (): DatabaseError =>
  new DatabaseError('42P10', 'The one unique field of a collection is its id');

const fixedId = (): MagError =>
  new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what: 'change the id of a document' });

const tooManyAffected = (rows: number): MagError =>
  new MagError('PGRST124', {}, { details: `The query affects ${rows} rows` });
