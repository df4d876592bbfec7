import type { Document } from 'bson';
import type { OrderTerm } from '../../../protocol/query.ts';
import { compileFilter as compilePredicate } from '../documents/matcher.ts';
import { readSort, Sorter } from '../documents/sorting.ts';
import { orderingOf } from './shape.ts';

const place = (index: number): string => `__mag_null_${index}`;

/** Documents that a write gave, in the order in which the server would read them: no write of MongoDB's has one. */
export function sortDocuments(
  documents: readonly Document[],
  order: readonly OrderTerm[],
): readonly Document[] {
  const ordering = orderingOf(order);
  if (ordering === null || documents.length === 0) return documents;
  const { sort, moved, computed } = ordering;
  const nulls =
    moved === null ? (computed ?? []) : [{ path: moved.path, nullsFirst: moved.nulls === 'first' }];
  const flags = nulls.map(({ path, nullsFirst }) => {
    const isNull = compilePredicate({ [path]: null });
    return (document: Document): number => Number(isNull(document) !== nullsFirst);
  });
  // With several fields each one's nulls are sorted right before it.
  const spec = Object.entries(sort).flatMap(([path, direction], index) => [
    ...(index < flags.length ? [[place(index), 1] as const] : []),
    [path, direction] as const,
  ]);
  const sorter = new Sorter<Document>(readSort(Object.fromEntries(spec)), documents.length);
  for (const document of documents) {
    const flagged = Object.fromEntries(flags.map((flag, index) => [place(index), flag(document)]));
    sorter.add({ ...document, ...flagged }, document, 0);
  }
  return sorter.sorted();
}
