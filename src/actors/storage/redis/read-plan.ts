import type { Filter } from '../../../protocol/query.ts';
import type { CollectionFacts } from './collection.ts';
import { entryCandidates } from './index-entries.ts';
import { idCandidates } from './keys.ts';

/** Where the documents that a filter may select are found; the filter itself then decides on each. */
export type Source =
  | { readonly kind: 'ids'; readonly ids: readonly string[] }
  | { readonly kind: 'index'; readonly field: string; readonly entries: readonly string[] }
  | { readonly kind: 'all' };

/** Texts of which the column must equal one for the filter to be true; null where it does not say so. */
function equalTo(filter: Filter): { readonly name: string; readonly texts: readonly string[] } | null {
  if (filter.negated || !('column' in filter) || filter.column.path !== undefined) return null;
  const { name } = filter.column;
  if (filter.kind === 'compare' && filter.op === 'eq') return { name, texts: [filter.value] };
  return filter.kind === 'in' ? { name, texts: filter.values } : null;
}

const conditions = (where: Filter): readonly Filter[] =>
  where.kind === 'and' && !where.negated ? where.terms.flatMap(conditions) : [where];

/** An equality on the id beats one on an indexed field, which beats looking at every document. */
export function findSource(where: Filter | undefined, facts: CollectionFacts): Source {
  if (where === undefined) return { kind: 'all' };
  let best: Source = { kind: 'all' };
  for (const condition of conditions(where)) {
    const equal = equalTo(condition);
    if (equal === null) continue;
    if (equal.name === 'id') return { kind: 'ids', ids: [...new Set(equal.texts.flatMap(idCandidates))] };
    const ready = facts.indexes.some(({ field, state }) => field === equal.name && state === 'ready');
    if (ready && best.kind === 'all') {
      best = {
        kind: 'index',
        field: equal.name,
        entries: [...new Set(equal.texts.flatMap(entryCandidates))],
      };
    }
  }
  return best;
}
