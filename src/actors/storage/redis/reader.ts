import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { Row, SelectQuery } from '../../../protocol/query.ts';
import type { ExecuteContext, QueryResult } from '../engine.ts';
import type { CollectionFacts } from './collection.ts';
import { DocumentFilter } from './document-filter.ts';
import { comparator, projection, type StoredDocument } from './documents.ts';
import { findSource, type Source } from './read-plan.ts';
import { type DocumentSource, LOOKUP, StaleFacts, tooLarge } from './store.ts';

/** How often a read begins anew because indexes changed under it. */
const TRIES = 5;
/** Documents that one function call may give; a longer list is read in batches. */
const PAGE = 1_000;

/** Runs the selects of the grammar. */
export async function select(
  store: DocumentSource,
  query: SelectQuery,
  context: ExecuteContext,
): Promise<QueryResult> {
  for (let attempt = 1; ; attempt += 1) {
    const facts = store.known(query.table) ?? (await store.facts(query.table, context));
    try {
      return await read(store, query, facts, context);
    } catch (error) {
      if (!(error instanceof StaleFacts)) throw error;
      if (attempt === TRIES) throw new MagError('MAG_OVERLOADED', { what: 'the indexes change too often' });
    }
  }
}

/** The id alone decides an order that begins with it; null where something else comes first. */
function idDirection(query: SelectQuery): 'asc' | 'desc' | null {
  const [first] = query.order;
  if (first === undefined) return 'asc';
  const byId = first.relation === undefined && first.column.name === 'id' && first.column.path === undefined;
  return byId ? first.direction : null;
}

const comesInOrder = (source: Source): boolean =>
  source.kind === 'all' || (source.kind === 'index' && source.entries.length === 1);

async function read(
  store: DocumentSource,
  query: SelectQuery,
  facts: CollectionFacts,
  context: ExecuteContext,
): Promise<QueryResult> {
  const source = findSource(query.where, facts);
  const direction = idDirection(query);
  const offset = query.offset ?? 0;
  const limit = Math.min(query.limit ?? LIMITS.maxRows, LIMITS.maxRows);
  const reverse = direction === 'desc';
  const ordered = store.ordered(query.table);
  if (ordered && query.where === undefined && direction !== null && limit <= PAGE) {
    const { documents, total } = await store.page(query.table, { offset, limit, reverse }, context);
    return resultOf(query, documents, total);
  }
  const sorts = !ordered || (query.order.length > 0 && !(direction !== null && comesInOrder(source)));
  const rows = sorts
    ? new SortedRows(offset, limit, comparator(query.order))
    : new RowsInTurn(offset, limit, query.count !== undefined);
  const filter = query.where === undefined ? null : new DocumentFilter(query.where);
  let matched = 0;
  const take = async (batch: readonly StoredDocument[]): Promise<void> => {
    for (const stored of batch) {
      if (filter?.tired === true) await store.rest(context);
      if (filter !== null && !filter.selects(stored.document)) continue;
      matched += 1;
      rows.add(stored);
    }
  };
  if (ordered && source.kind === 'ids' && source.ids.length <= LOOKUP) {
    await take(await store.lookup(query.table, source.ids, context));
    return resultOf(query, rows.finish(), matched);
  }
  for await (const batch of store.batches(query.table, source, facts, reverse, context)) {
    await take(batch);
    if (rows.full) break;
  }
  return resultOf(query, rows.finish(), matched);
}

/** Documents that come in their order already. */
class RowsInTurn {
  readonly #offset: number;
  readonly #limit: number;
  readonly #counts: boolean;
  readonly #rows: StoredDocument[] = [];
  #seen = 0;
  #bytes = 0;

  constructor(offset: number, limit: number, counts: boolean) {
    this.#offset = offset;
    this.#limit = limit;
    this.#counts = counts;
  }

  /** Nothing that comes later is needed. */
  get full(): boolean {
    return !this.#counts && this.#rows.length >= this.#limit;
  }

  add(stored: StoredDocument): void {
    this.#seen += 1;
    if (this.#seen <= this.#offset || this.#rows.length >= this.#limit) return;
    this.#bytes += stored.text.length;
    if (this.#bytes > LIMITS.resultBytes) throw tooLarge();
    this.#rows.push(stored);
  }

  finish(): readonly StoredDocument[] {
    return this.#rows;
  }
}

/** Keeps the first offset + limit documents of an order; what it holds is bounded, whatever comes. */
class SortedRows {
  readonly full = false;
  readonly #offset: number;
  readonly #kept: number;
  readonly #compare: (left: StoredDocument, right: StoredDocument) => number;
  #rows: StoredDocument[] = [];
  #bytes = 0;

  constructor(offset: number, limit: number, compare: (left: Row, right: Row) => number) {
    this.#offset = offset;
    this.#kept = offset + limit;
    this.#compare = (left, right) => compare(left.document, right.document);
  }

  add(stored: StoredDocument): void {
    this.#rows.push(stored);
    this.#bytes += stored.text.length;
    if (this.#rows.length > Math.max(2 * this.#kept, PAGE) || this.#bytes > LIMITS.resultBytes) this.#trim();
    if (this.#rows.length > REDIS_LIMITS.sortedDocuments)
      throw tooLarge(`${REDIS_LIMITS.sortedDocuments} documents to sort`);
    if (this.#bytes > LIMITS.resultBytes) throw tooLarge();
  }

  finish(): readonly StoredDocument[] {
    this.#trim();
    return this.#rows.slice(this.#offset);
  }

  #trim(): void {
    this.#rows.sort(this.#compare);
    for (const cut of this.#rows.splice(this.#kept)) this.#bytes -= cut.text.length;
  }
}

function resultOf(query: SelectQuery, documents: readonly StoredDocument[], matched: number): QueryResult {
  const counted = query.count !== undefined;
  return {
    json: shown(documents, projection(query.select)),
    rowCount: documents.length,
    total: counted ? matched : null,
    totalKind: counted ? 'exact' : null,
  };
}

/** A JSON array of the documents as they are shown. Throws MAG_RESULT_TOO_LARGE. */
export function shown(
  documents: readonly StoredDocument[],
  show: (stored: StoredDocument) => string,
): string {
  let json = '[';
  for (const stored of documents) {
    json += json.length > 1 ? `,${show(stored)}` : show(stored);
    if (json.length > LIMITS.resultBytes) throw tooLarge();
  }
  return `${json}]`;
}
