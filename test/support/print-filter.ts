import type { ColumnRef, Embed, Filter, OrderTerm, SelectItem } from '../../src/protocol/query.ts';

const BARE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const quote = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

export const printName = (name: string): string =>
  BARE_NAME.test(name) && !['and', 'or', 'not', 'count'].includes(name) ? name : quote(name);

function printColumn({ name, path }: ColumnRef, print: (name: string) => string = printName): string {
  const steps = path?.steps ?? [];
  const arrows = steps.map((step, at) => {
    const arrow = path?.text === true && at === steps.length - 1 ? '->>' : '->';
    return `${arrow}${typeof step === 'number' ? step : quote(step)}`;
  });
  return `${print(name)}${arrows.join('')}`;
}

type Leaf = Exclude<Filter, { terms: readonly Filter[] }>;

const columnOf = (filter: Leaf): ColumnRef =>
  filter.kind === 'related' ? { name: filter.relation } : filter.column;

const array = (values: readonly string[]): string => `{${values.map(quote).join(',')}}`;

function condition(filter: Leaf, value: (text: string) => string): string {
  const not = filter.negated ? 'not.' : '';
  switch (filter.kind) {
    case 'in':
      return `${not}in.(${filter.values.map(quote).join(',')})`;
    case 'is':
    case 'related':
      return `${not}is.${filter.value}`;
    case 'quantified':
      return `${not}${filter.op}(${filter.quantifier}).${value(array(filter.values))}`;
    case 'text_search': {
      const config = filter.config === undefined ? '' : `(${filter.config})`;
      return `${not}${filter.op}${config}.${value(filter.value)}`;
    }
    default:
      return `${not}${filter.op}.${value(filter.value)}`;
  }
}

const asItIs = (text: string): string => text;

/** A filter in the logic form, everything quoted. */
export function printFilter(filter: Filter): string {
  if ('terms' in filter)
    return `${filter.negated ? 'not.' : ''}${filter.kind}(${filter.terms.map(printFilter).join(',')})`;
  return `${printColumn(columnOf(filter))}.${condition(filter, quote)}`;
}

const pair = (path: readonly string[], key: string, value: string): string =>
  `${encodeURIComponent([...path.map(quote), key].join('.'))}=${encodeURIComponent(value)}`;

/** One `key=value` of a query string, percent-encoded. `path`: the embedded tables that lead to it. */
export function printPair(filter: Filter, path: readonly string[] = []): string {
  if ('terms' in filter) {
    const key = `${filter.negated ? 'not.' : ''}${filter.kind}`;
    return pair(path, key, `(${filter.terms.map(printFilter).join(',')})`);
  }
  return pair(path, printColumn(columnOf(filter), quote), condition(filter, asItIs));
}

const aliased = (alias: string | undefined): string => (alias === undefined ? '' : `${printName(alias)}:`);
const casted = (cast: string | undefined): string => (cast === undefined ? '' : `::${cast}`);

function printEmbed({ relation, alias, hint, inner, spread, select }: Embed): string {
  const name = `${spread ? '...' : aliased(alias)}${printName(relation)}`;
  const parameters = `${hint === undefined ? '' : `!${quote(hint)}`}${inner ? '!inner' : ''}`;
  return `${name}${parameters}(${printSelect(select)})`;
}

function printItem(item: SelectItem): string {
  switch (item.kind) {
    case 'all':
      return '*';
    case 'count':
      return `${aliased(item.alias)}count()${casted(item.cast)}`;
    case 'embed':
      return printEmbed(item.embed);
    default: {
      const { aggregate } = item;
      const call = aggregate === undefined ? '' : `.${aggregate.function}()${casted(aggregate.cast)}`;
      return `${aliased(item.alias)}${printColumn(item.column)}${casted(item.cast)}${call}`;
    }
  }
}

export const printSelect = (items: readonly SelectItem[]): string => items.map(printItem).join(',');

function printTerm({ relation, column, direction, nulls }: OrderTerm): string {
  const name = printColumn(column);
  const by = relation === undefined ? name : `${printName(relation)}(${name})`;
  return `${by}.${direction}${nulls === undefined ? '' : `.nulls${nulls}`}`;
}

export const printOrder = (terms: readonly OrderTerm[]): string => terms.map(printTerm).join(',');

/** What a query string says of the embedded tables of a select, beside the select. */
export function printAddressed(items: readonly SelectItem[], path: readonly string[] = []): string[] {
  return items.flatMap((item) => {
    if (item.kind !== 'embed') return [];
    const { embed } = item;
    const inner = [...path, embed.alias ?? embed.relation];
    return [
      ...(embed.where === undefined ? [] : [printPair(embed.where, inner)]),
      ...(embed.order.length === 0 ? [] : [pair(inner, 'order', printOrder(embed.order))]),
      ...(embed.limit === undefined ? [] : [pair(inner, 'limit', String(embed.limit))]),
      ...(embed.offset === undefined ? [] : [pair(inner, 'offset', String(embed.offset))]),
      ...printAddressed(embed.select, inner),
    ];
  });
}
