import fc from 'fast-check';
import { endsInEscape } from '../../src/protocol/like.ts';
import type { Filter, IsValue } from '../../src/protocol/query.ts';

const name = fc.oneof(
  fc.constantFrom(
    'id',
    'owner',
    'a_b',
    'with space',
    'quo"te',
    'back\\slash',
    'dot.ted',
    'and',
    'ünï',
    '日本',
  ),
  fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }),
);
export const columnName = name.filter((text) => text !== '');

const value = fc.oneof(
  fc.constantFrom('', '1', 'null', 'a,b', 'a)b', '(x)', '"q"', 'a\\', '%', 'ü', ' spaced '),
  fc.string({ maxLength: 12, unit: 'grapheme' }),
);
/** A LIKE pattern: `*` is the URL's spelling of `%`, so an AST never holds it. */
const pattern = value.map((text) => text.replaceAll('*', '%')).filter((text) => !endsInEscape(text));
const isValue = fc.constantFrom<IsValue>('null', 'not_null', 'true', 'false', 'unknown');

export const leaf: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    kind: fc.constant('compare' as const),
    column: fc.record({ name: columnName }),
    op: fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte'),
    value,
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('compare' as const),
    column: fc.record({ name: columnName }),
    op: fc.constantFrom('like', 'ilike'),
    value: pattern,
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('in' as const),
    column: fc.record({ name: columnName }),
    values: fc.array(value, { maxLength: 4 }),
    negated: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('is' as const),
    column: fc.record({ name: columnName }),
    value: isValue,
    negated: fc.boolean(),
  }),
);

/** Filters of any nesting up to three levels. */
export function filterOf(leaves: fc.Arbitrary<Filter>): fc.Arbitrary<Filter> {
  return fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'filter' },
      leaves,
      fc.record({
        kind: fc.constantFrom('and' as const, 'or' as const),
        terms: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }),
        negated: fc.boolean(),
      }),
    ),
  })).filter;
}
