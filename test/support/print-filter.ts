import type { Filter, OrderTerm, SelectItem } from '../../src/protocol/query.ts';

const BARE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const quote = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

export const printName = (name: string): string =>
  BARE_NAME.test(name) && !['and', 'or', 'not'].includes(name) ? name : quote(name);

type Leaf = Extract<Filter, { kind: 'compare' | 'in' | 'is' }>;

function leaf(filter: Filter): Leaf {
  if (filter.kind === 'compare' || filter.kind === 'in' || filter.kind === 'is') return filter;
  throw new Error(`${filter.kind} is not printed`);
}

function condition(filter: Leaf, quoted: boolean): string {
  const not = filter.negated ? 'not.' : '';
  switch (filter.kind) {
    case 'compare':
      return `${not}${filter.op}.${quoted ? quote(filter.value) : filter.value}`;
    case 'in':
      return `${not}in.(${filter.values.map(quote).join(',')})`;
    case 'is':
      return `${not}is.${filter.value}`;
  }
}

/** A filter in the logic form, everything quoted. */
export function printFilter(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `${filter.negated ? 'not.' : ''}${filter.kind}(${filter.terms.map(printFilter).join(',')})`;
    default:
      return `${printName(leaf(filter).column.name)}.${condition(leaf(filter), true)}`;
  }
}

/** One `key=value` of a query string, percent-encoded. */
export function printPair(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or': {
      const text = `(${filter.terms.map(printFilter).join(',')})`;
      return `${filter.negated ? 'not.' : ''}${filter.kind}=${encodeURIComponent(text)}`;
    }
    default:
      return `${encodeURIComponent(quote(leaf(filter).column.name))}=${encodeURIComponent(condition(leaf(filter), false))}`;
  }
}

export const printSelect = (items: readonly SelectItem[]): string =>
  items
    .map((item) => {
      if (item.kind === 'all') return '*';
      if (item.kind !== 'column') throw new Error(`${item.kind} is not printed`);
      return `${item.alias === undefined ? '' : `${printName(item.alias)}:`}${printName(item.column.name)}`;
    })
    .join(',');

export const printOrder = (terms: readonly OrderTerm[]): string =>
  terms
    .map(
      (term) =>
        `${printName(term.column.name)}.${term.direction}${term.nulls === undefined ? '' : `.nulls${term.nulls}`}`,
    )
    .join(',');
