import fc from 'fast-check';
import type { Params } from '../../src/actors/gate/grammar/params.ts';
import { endsInEscape } from '../../src/protocol/like.ts';
import type { ColumnRef, Embed, Filter, OrderTerm, SelectItem } from '../../src/protocol/query.ts';
import { columnName, filterOf, leaf } from './filter-arbitraries.ts';

const value = fc.oneof(
  fc.constantFrom('', 'a,b', '{a,b}', '{"a":{"b":1}}', '[1,5)', '"q"', 'a\\', "it's", 'ü'),
  fc.string({ maxLength: 8, unit: 'grapheme' }),
);
const pattern = value.map((text) => text.replaceAll('*', '%')).filter((text) => !endsInEscape(text));
const identifier = fc.constantFrom('text', 'int4', 'german', 'double precision', '_x$1');
const key = fc
  .oneof(fc.constantFrom('a', '0', 'a b', 'a-b', '->', 'x"y', '日'), columnName)
  .filter((text) => !text.includes('\0'));

/** The last step decides whether there is a name to find: `nameOfPath` says which. */
const path = fc.record({
  steps: fc.array(fc.oneof(key, fc.integer({ min: -9, max: 99 })), { minLength: 1, maxLength: 3 }),
  text: fc.boolean(),
});
const name = columnName.filter((text) => !text.includes('\0') && !/^(?:rel|as)\d/.test(text));
export const column: fc.Arbitrary<ColumnRef> = fc.oneof(fc.record({ name }), fc.record({ name, path }));

const negated = fc.boolean();
const quantifier = fc.constantFrom('any' as const, 'all' as const);

/** Every filter on a column that the grammar has. */
export const anyLeaf: fc.Arbitrary<Filter> = fc.oneof(
  leaf,
  fc.record({
    kind: fc.constant('compare' as const),
    column,
    op: fc.constantFrom('eq', 'neq', 'gt', 'lte', 'match', 'imatch', 'isdistinct'),
    value,
    negated,
  }),
  fc.record({
    kind: fc.constant('quantified' as const),
    column,
    op: fc.constantFrom('eq', 'gt', 'gte', 'lt', 'lte', 'match', 'imatch'),
    quantifier,
    values: fc.array(value, { maxLength: 3 }),
    negated,
  }),
  fc.record({
    kind: fc.constant('quantified' as const),
    column,
    op: fc.constantFrom('like', 'ilike'),
    quantifier,
    values: fc.array(pattern, { maxLength: 3 }),
    negated,
  }),
  fc.record({
    kind: fc.constant('contain' as const),
    column,
    op: fc.constantFrom('cs', 'cd', 'ov', 'sl', 'sr', 'nxl', 'nxr', 'adj'),
    value,
    negated,
  }),
  fc.record(
    {
      kind: fc.constant('text_search' as const),
      column,
      op: fc.constantFrom('fts', 'plfts', 'phfts', 'wfts'),
      config: identifier,
      value,
      negated,
    },
    { requiredKeys: ['kind', 'column', 'op', 'value', 'negated'] },
  ),
);

export const anyFilter = filterOf(anyLeaf);

function orderBy(relations: readonly string[]): fc.Arbitrary<OrderTerm> {
  const term = {
    column,
    direction: fc.constantFrom('asc' as const, 'desc' as const),
    nulls: fc.constantFrom('first' as const, 'last' as const),
  };
  const plain = fc.record(term, { requiredKeys: ['column', 'direction'] });
  if (relations.length === 0) return plain;
  const related = fc.record(
    { ...term, relation: fc.constantFrom(...relations) },
    { requiredKeys: ['relation', 'column', 'direction'] },
  );
  return fc.oneof(plain, related);
}

function filterIn(relations: readonly string[]): fc.Arbitrary<Filter> {
  if (relations.length === 0) return anyFilter;
  const related = fc.record({
    kind: fc.constant('related' as const),
    relation: fc.constantFrom(...relations),
    value: fc.constantFrom('null' as const, 'not_null' as const),
    negated,
  });
  return filterOf(fc.oneof(anyLeaf, related));
}

const plainItem: fc.Arbitrary<SelectItem> = fc.oneof(
  fc.constant<SelectItem>({ kind: 'all' }),
  fc.record(
    { kind: fc.constant('count' as const), alias: name, cast: identifier },
    { requiredKeys: ['kind'] },
  ),
  fc.record(
    { kind: fc.constant('column' as const), column: fc.record({ name }), alias: name, cast: identifier },
    { requiredKeys: ['kind', 'column'] },
  ),
  fc.record(
    { kind: fc.constant('column' as const), column, alias: name, cast: identifier },
    { requiredKeys: ['kind', 'column', 'alias'] },
  ),
  fc.record(
    {
      kind: fc.constant('column' as const),
      column,
      alias: name,
      cast: identifier,
      aggregate: fc.record(
        { function: fc.constantFrom('sum', 'avg', 'min', 'max', 'count'), cast: identifier },
        { requiredKeys: ['function'] },
      ),
    },
    { requiredKeys: ['kind', 'column', 'aggregate'] },
  ),
);

const relationsOf = (items: readonly SelectItem[]): string[] =>
  items.flatMap((item) => (item.kind === 'embed' ? [item.embed.alias ?? item.embed.relation] : []));

function aggregates(items: readonly SelectItem[]): boolean {
  return items.some((item) => {
    if (item.kind === 'embed') return aggregates(item.embed.select);
    return item.kind === 'count' || (item.kind === 'column' && item.aggregate !== undefined);
  });
}

/** Embeds of one select are called differently. */
function itemsOf(depth: number, prefix: string): fc.Arbitrary<readonly SelectItem[]> {
  const plain = fc.array(plainItem, { minLength: 1, maxLength: 3 });
  if (depth === 0) return plain;
  const embeds = fc.array(embedOf(depth - 1), { maxLength: 2 });
  return fc.tuple(plain, embeds).map(([items, inner]) => [
    ...items,
    ...inner.map((embed, at): SelectItem => {
      const relation = `rel${prefix}${at}`;
      if (embed.spread || at === 0) return { kind: 'embed', embed: { ...embed, relation } };
      return { kind: 'embed', embed: { ...embed, relation, alias: `as${prefix}${at}` } };
    }),
  ]);
}

function embedOf(depth: number): fc.Arbitrary<Embed> {
  return fc.oneof(fc.constant<readonly SelectItem[]>([]), itemsOf(depth, String(depth))).chain((select) => {
    const relations = relationsOf(select);
    return fc.record(
      {
        relation: fc.constant('to be named'),
        hint: fc.constantFrom('fk', 'inner', 'left', 'a column'),
        inner: fc.boolean(),
        spread: fc.boolean(),
        select: fc.constant(select),
        where: filterIn(relations),
        order: fc.array(orderBy(relations), { maxLength: 2 }),
        limit: fc.nat(),
        offset: fc.nat(),
      },
      { requiredKeys: ['relation', 'inner', 'spread', 'select', 'order'] },
    );
  });
}

/** A whole query, embeds two levels deep; its filters as they come one by one. */
export const query = itemsOf(2, 'x').chain((select) =>
  fc.record({
    select: fc.constant(select),
    embeds: fc.constant(relationsOf(select).length > 0),
    aggregates: fc.constant(aggregates(select)),
    order: fc.array(orderBy(relationsOf(select)), { minLength: 1, maxLength: 3 }),
    filters: fc.array(filterIn(relationsOf(select)), { maxLength: 3 }),
    limit: fc.nat(),
    offset: fc.nat(),
  }),
);

/** What the parser makes of them. */
export function paramsOf(given: typeof query extends fc.Arbitrary<infer Of> ? Of : never): Params {
  const { filters, ...rest } = given;
  const [first] = filters;
  const and: Filter = { kind: 'and', terms: filters, negated: false };
  const where = first === undefined ? null : filters.length === 1 ? first : and;
  return { ...rest, where, columns: null, onConflict: null, args: [] };
}
