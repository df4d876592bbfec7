import type { Filter, OrderTerm } from '../../../protocol/query.ts';

/** Operators that cost no more than looking at the value. */
const ORDERED: ReadonlySet<string> = new Set(['eq', 'neq', 'gt', 'gte', 'lt', 'lte']);

/** A pattern over a long value takes time that nothing bounds, and so may every operator beyond the plain ones. */
export function hasPattern(filter: Filter | undefined): boolean {
  if (filter === undefined) return false;
  if ('column' in filter && filter.column.path !== undefined) return true;
  if (filter.kind === 'compare') return !ORDERED.has(filter.op);
  if (filter.kind === 'in' || filter.kind === 'is') return false;
  return !('terms' in filter) || filter.terms.some(hasPattern);
}

/** Whether it is ordered by a column of the table itself. */
export const isColumn = ({ relation, column }: OrderTerm): boolean =>
  relation === undefined && column.path === undefined;
