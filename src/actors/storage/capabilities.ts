import { MagError } from '../../errors.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { CallQuery, ColumnRef, Filter, OrderTerm, Query, SelectItem } from '../../protocol/query.ts';

/** What an engine may or may not do; the words end the sentence "The engine X cannot …" of MAG_ENGINE_UNSUPPORTED. */
export const CAPABILITIES = {
  sql: 'run native SQL',
  native: 'run native commands',
  embed: 'embed related tables',
  call: 'call functions',
  json_path: 'read JSON paths',
  cast: 'cast columns',
  aggregate: 'aggregate',
  regex: 'match regular expressions',
  quantifier: 'compare with any or all of a list',
  distinct: 'compare with isdistinct',
  contain: 'compare with cs, cd or ov',
  range: 'compare ranges',
  text_search: 'search full text',
  update_defaults: 'set columns to their defaults',
  ordered_writes: 'order the rows that a write gives back',
  max_affected: 'limit how many rows a write affects',
  rollback: 'undo a write after answering it',
  transaction: 'run several operations in one transaction',
  idempotency: 'remember idempotency keys',
} as const;

export type Capability = keyof typeof CAPABILITIES;

/** What each engine can do. The rest is refused by name, never approximated; docs/capabilities.md is made from it. */
export const ENGINE_CAPABILITIES: Readonly<Record<EngineKind, ReadonlySet<Capability>>> = {
  sqlite: new Set<Capability>([
    ...(['sql', 'embed', 'json_path', 'cast', 'aggregate', 'quantifier', 'distinct'] as const),
    ...(['update_defaults', 'ordered_writes', 'max_affected'] as const),
    ...(['rollback', 'transaction', 'idempotency'] as const),
  ]),
  postgres: new Set<Capability>([
    ...(['sql', 'embed', 'json_path', 'cast', 'aggregate', 'regex', 'quantifier', 'distinct'] as const),
    ...(['call', 'contain', 'range', 'text_search', 'update_defaults', 'ordered_writes'] as const),
    ...(['max_affected', 'rollback', 'transaction', 'idempotency'] as const),
  ]),
  mysql: new Set<Capability>([
    ...(['sql', 'embed', 'json_path', 'cast', 'aggregate', 'regex', 'quantifier', 'distinct'] as const),
    ...(['update_defaults', 'ordered_writes', 'max_affected'] as const),
    ...(['rollback', 'transaction', 'idempotency'] as const),
  ]),
  mongodb: new Set<Capability>([
    ...(['native', 'json_path', 'regex', 'quantifier', 'distinct', 'contain'] as const),
    ...(['ordered_writes', 'max_affected', 'rollback', 'transaction', 'idempotency'] as const),
  ]),
  redis: new Set<Capability>([
    ...(['native', 'json_path', 'quantifier', 'distinct', 'contain', 'max_affected'] as const),
    ...(['ordered_writes', 'rollback', 'transaction', 'idempotency'] as const),
  ]),
};

/** Throws MAG_ENGINE_UNSUPPORTED where the engine cannot do it. */
export function requireCapability(engine: EngineKind, capability: Capability): void {
  if (ENGINE_CAPABILITIES[engine].has(capability)) return;
  throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine, what: CAPABILITIES[capability] });
}

type Need = (capability: Capability) => void;

function columnNeeds({ path }: ColumnRef, need: Need): void {
  if (path !== undefined) need('json_path');
}

const RANGE_OPERATORS: ReadonlySet<string> = new Set(['sl', 'sr', 'nxl', 'nxr', 'adj']);

function filterNeeds(filter: Filter, need: Need): void {
  if ('terms' in filter) {
    for (const term of filter.terms) filterNeeds(term, need);
    return;
  }
  if (filter.kind === 'related') {
    need('embed');
    return;
  }
  columnNeeds(filter.column, need);
  if (filter.kind === 'quantified') need('quantifier');
  else if (filter.kind === 'text_search') need('text_search');
  else if (filter.kind === 'contain') need(RANGE_OPERATORS.has(filter.op) ? 'range' : 'contain');
  if (!('op' in filter)) return;
  if (filter.op === 'match' || filter.op === 'imatch') need('regex');
  else if (filter.op === 'isdistinct') need('distinct');
}

function itemNeeds(items: readonly SelectItem[], need: Need): void {
  for (const item of items) {
    switch (item.kind) {
      case 'all':
        break;
      case 'count':
        need('aggregate');
        break;
      case 'column':
        columnNeeds(item.column, need);
        if (item.cast !== undefined) need('cast');
        if (item.aggregate !== undefined) need('aggregate');
        break;
      case 'embed':
        need('embed');
        itemNeeds(item.embed.select, need);
        if (item.embed.where !== undefined) filterNeeds(item.embed.where, need);
        orderNeeds(item.embed.order, need);
    }
  }
}

function orderNeeds(order: readonly OrderTerm[], need: Need): void {
  for (const term of order) {
    if (term.relation !== undefined) need('embed');
    columnNeeds(term.column, need);
  }
}

/** What of a write no documents can, in the words above; null where there is nothing. */
export function beyondDocuments(query: Exclude<Query, { kind: 'select' }>): string | null {
  return query.kind === 'update' && query.defaults !== undefined ? CAPABILITIES.update_defaults : null;
}

/** Throws MAG_ENGINE_UNSUPPORTED for the first thing in the query that the engine cannot do. */
export function requireCapabilities(engine: EngineKind, query: Query | CallQuery): void {
  const need: Need = (capability) => requireCapability(engine, capability);
  if (query.kind === 'call') need('call');
  if (query.kind === 'select' || query.kind === 'call') {
    itemNeeds(query.select, need);
    orderNeeds(query.order, need);
  } else if (query.returning !== undefined) itemNeeds(query.returning, need);
  if (query.kind === 'update' && query.defaults !== undefined) need('update_defaults');
  if (query.kind !== 'select' && query.kind !== 'call' && query.order !== undefined) {
    need('ordered_writes');
    orderNeeds(query.order, need);
  }
  if ('where' in query && query.where !== undefined) filterNeeds(query.where, need);
  if (query.kind !== 'select' && query.maxAffected !== undefined) need('max_affected');
}
