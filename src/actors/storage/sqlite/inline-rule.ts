import type { DatabaseSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import type { Filter, Query } from '../../../protocol/query.ts';
import { isPlain } from '../sql/rows.ts';
import {
  outerLines,
  outerLinesOfProbe,
  type PlainEmbed,
  type PlanLine,
  plainEmbeds,
} from './inline-embeds.ts';
import { hasPattern, isColumn } from './inline-terms.ts';
import type { SqliteSchema, SqliteTable } from './sqlite-schema.ts';

/**
 * Where a statement may run. node:sqlite cannot be interrupted, so an edge thread takes only what touches a bounded
 * number of rows, whatever the data:
 * `lookup` at most one row (or one per item of an IN list) by a unique key ·
 * `walk` an index or rowid walk that every filter term narrows; bounded by LIMIT and OFFSET at execution ·
 * `insert` single rows into a simple table · `never` a storage process.
 */
export type InlineVerdict = 'lookup' | 'walk' | 'insert' | 'never';

/** The terms that must all hold, or null where the filter is no plain conjunction. */
function conjuncts(filter: Filter | undefined): readonly Filter[] | null {
  if (filter === undefined) return [];
  if (filter.kind !== 'and') return [filter];
  if (filter.negated) return null;
  const terms: Filter[] = [];
  for (const term of filter.terms) {
    const inner = conjuncts(term);
    if (inner === null) return null;
    terms.push(...inner);
  }
  return terms;
}

/** Columns that a term pins to given values. */
function pinnedColumn(term: Filter): string | null {
  if (term.negated) return null;
  if (term.kind === 'in') return term.column.name;
  return term.kind === 'compare' && term.op === 'eq' ? term.column.name : null;
}

/** The unique key that the terms pin, or null. */
function pinnedKey(terms: readonly Filter[], table: SqliteTable): readonly string[] | null {
  const pinned = new Set(terms.map(pinnedColumn));
  return table.unique.find((key) => key.length > 0 && key.every((column) => pinned.has(column))) ?? null;
}

const isRangeOrEqual = (term: Filter): boolean =>
  term.kind === 'compare' && !term.negated && ['eq', 'gt', 'gte', 'lt', 'lte'].includes(term.op);

function selectVerdict(
  query: Extract<Query, { kind: 'select' }>,
  table: SqliteTable,
  schema: SqliteSchema,
): InlineVerdict {
  if (!table.simpleReads || hasPattern(query.where) || query.count !== undefined) return 'never';
  // Aggregates and JSON cost what nothing here bounds; how many related rows there are is counted before they are read.
  const parts = plainEmbeds(query.select, schema);
  const isBounded = parts !== null && isPlain(parts.own, table) && query.order.every(isColumn);
  const terms = conjuncts(query.where);
  if (terms === null || !isBounded) return 'never';
  if (pinnedKey(terms, table) !== null) return 'lookup';
  return query.limit !== undefined && terms.every(isRangeOrEqual) ? 'walk' : 'never';
}

function writeVerdict(query: Exclude<Query, { kind: 'select' }>, table: SqliteTable): InlineVerdict {
  if (!table.simpleWrites || !table.simpleReads) return 'never';
  if (query.kind !== 'delete' && hasPattern(query.check)) return 'never';
  if (!isPlain(query.returning ?? [], table) || query.order?.every(isColumn) === false) return 'never';
  const touchesReferenced = (names: readonly string[]): boolean =>
    names.some((name) => table.referenced.includes(name));
  if (query.kind === 'insert') {
    // A merge that changes a referenced key may cascade to any number of rows elsewhere.
    const merges = query.onConflict?.resolution === 'merge';
    return merges && table.referenced.length > 0 ? 'never' : 'insert';
  }
  if (hasPattern(query.where)) return 'never';
  const terms = conjuncts(query.where);
  if (terms === null || pinnedKey(terms, table) === null) return 'never';
  if (query.kind === 'delete') return table.referenced.length === 0 ? 'lookup' : 'never';
  return touchesReferenced([...Object.keys(query.set), ...(query.defaults ?? [])]) ? 'never' : 'lookup';
}

/** What the query and the schema allow; `confirmVerdict` then asks SQLite whether it plans the same. */
export function inlineVerdict(query: Query, table: SqliteTable, schema: SqliteSchema): InlineVerdict {
  return query.kind === 'select' ? selectVerdict(query, table, schema) : writeVerdict(query, table);
}

/** `SEARCH t USING INDEX i (a=? AND b>?)` → [`a=?`, `b>?`]; null for any other line. */
function searchConstraints(line: string): readonly string[] | null {
  const match =
    /^SEARCH .* USING (?:INTEGER PRIMARY KEY|PRIMARY KEY|(?:COVERING )?INDEX .+) \(([^()]+)\)$/.exec(line);
  return match?.[1] === undefined ? null : match[1].split(' AND ');
}

function confirmsLookup(lines: readonly string[], query: Query, table: SqliteTable): boolean {
  const searched = lines.filter((line) => line.startsWith('SEARCH'));
  const scans = lines.filter((line) => line.startsWith('SCAN') && !line.startsWith('SCAN json_each'));
  const constraints = searchConstraints(searched[0] ?? '');
  if (searched.length !== 1 || scans.length > 0 || constraints === null) return false;
  const terms = conjuncts('where' in query ? query.where : undefined) ?? [];
  const key = pinnedKey(terms, table) ?? [];
  const equal = constraints.filter((each) => each.endsWith('=?')).map((each) => each.slice(0, -2));
  return equal.includes('rowid') ||
    table.unique.some((unique) => unique.every((name) => equal.includes(name)))
    ? key.length > 0
    : false;
}

function confirmsWalk(lines: readonly string[], termCount: number): boolean {
  const [line, ...others] = lines;
  // Anything beyond one line is a sort, a subquery or a second index.
  if (line === undefined || others.length > 0) return false;
  if (termCount === 0) return /^SCAN \S/.test(line) && !line.includes('VIRTUAL TABLE');
  // As many constraints as terms: each term narrows the walk, none filters rows that were read for nothing.
  return searchConstraints(line)?.length === termCount;
}

function planLines(database: DatabaseSync, sql: string): readonly PlanLine[] {
  const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
  return rows.map(({ id, parent, detail }) => ({
    ...{ id: Number(id), parent: Number(parent), detail: String(detail) },
  }));
}

/** What SQLite is asked about: a statement, the embeds in it, or the one whose rows it counts. */
export interface Asked {
  readonly sql: string;
  readonly embeds?: readonly PlainEmbed[];
  readonly probed?: PlainEmbed;
}

/** Asks SQLite how it would run the statement, and keeps the verdict only where its plan has the same bound. */
export function confirmVerdict(
  verdict: InlineVerdict,
  query: Query,
  table: SqliteTable,
  database: DatabaseSync,
  { sql, embeds = [], probed }: Asked,
): InlineVerdict {
  if (verdict === 'never' || verdict === 'insert') return verdict;
  const plan = planLines(database, sql);
  const lines = probed === undefined ? outerLines(plan, embeds) : outerLinesOfProbe(plan, probed);
  if (lines === null) return 'never';
  const terms = conjuncts('where' in query ? query.where : undefined) ?? [];
  const confirmed =
    verdict === 'lookup' ? confirmsLookup(lines, query, table) : confirmsWalk(lines, terms.length);
  return confirmed ? verdict : 'never';
}

/** Keys that the lists of a filter may name: lists over two columns of one key are looked up in every combination. */
function lookups(filter: Filter | undefined): number {
  if (filter === undefined) return 1;
  if (filter.kind === 'in') return Math.max(1, filter.values.length);
  return 'terms' in filter ? filter.terms.reduce((product, term) => product * lookups(term), 1) : 1;
}

/** Searches for each row: the row's own, and one an embed. */
const searchesOf = (query: Query): number =>
  query.kind === 'select' ? 1 + query.select.filter(({ kind }) => kind === 'embed').length : 1;

/** Whether this execution stays within the bounds that the verdict leaves open. */
export function withinInlineBounds(verdict: InlineVerdict, query: Query): boolean {
  switch (verdict) {
    case 'lookup': {
      const keys = lookups('where' in query ? query.where : undefined);
      return keys <= LIMITS.inlineListItems && keys * searchesOf(query) <= LIMITS.inlineRows;
    }
    case 'walk': {
      if (query.kind !== 'select') return false;
      const rows = (query.limit ?? Infinity) + (query.offset ?? 0);
      return rows * searchesOf(query) <= LIMITS.inlineRows;
    }
    case 'insert':
      return query.kind === 'insert' && query.rows.length <= LIMITS.inlineInsertRows;
    default:
      return false;
  }
}
