import { postgresChangesFilter, type RealtimePostgresChangesFilterOperator } from '@supabase/supabase-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MagError } from '../../src/errors.ts';
import { matches } from '../../src/protocol/filter-match.ts';
import { endsInEscape } from '../../src/protocol/like.ts';
import type { Filter, Row } from '../../src/protocol/query.ts';
import { parseChangeFilter } from '../../src/protocol/realtime-filter.ts';

const column = fc.stringMatching(/^[a-z_]{1,8}$/);
const value = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    'a,b',
    '(x)',
    'say "hi"',
    'back\\slash',
    ' spaced ',
    'a.b',
    'b=eq.1',
    'a,b=eq.1',
    '1,2',
    '',
  ),
);
const scalarOp = fc.constantFrom<RealtimePostgresChangesFilterOperator>(
  'eq',
  'neq',
  'gt',
  'gte',
  'lt',
  'lte',
  'like',
);

interface Condition {
  readonly column: string;
  readonly op: RealtimePostgresChangesFilterOperator;
  readonly value: string;
  readonly values: readonly string[];
  readonly negated: boolean;
}

const isRefused = ({ op, value: text }: Condition): boolean => op === 'like' && endsInEscape(text);

const condition: fc.Arbitrary<Condition> = fc
  .record({
    column,
    op: fc.oneof(scalarOp, fc.constant<RealtimePostgresChangesFilterOperator>('in')),
    value,
    values: fc.uniqueArray(value, { minLength: 1, maxLength: 4 }),
    negated: fc.boolean(),
  })
  .filter((made) => !isRefused(made));

function written(conditions: readonly Condition[]): string {
  const builder = postgresChangesFilter();
  for (const { column: name, op, value: text, values, negated } of conditions) {
    if (op === 'in' && negated) builder.not(name, 'in', values);
    else if (op === 'in') builder.in(name, values);
    else if (negated) builder.not(name, op as 'eq', text);
    else (builder[op as 'eq'] as (column: string, value: string) => unknown)(name, text);
  }
  return builder.build();
}

const parsed = ({ column: name, op, value: text, values, negated }: Condition): Filter =>
  op === 'in'
    ? { kind: 'in', column: { name }, values, negated }
    : { kind: 'compare', column: { name }, op: op as 'eq', value: text, negated };

const accepts = (filter: string, row: Row): boolean => {
  const tree = parseChangeFilter(filter);
  return tree === null || matches(tree, row);
};

describe('change filters', () => {
  it('read back whatever the real client writes', () => {
    fc.assert(
      fc.property(fc.array(condition, { minLength: 1, maxLength: 4 }), (conditions) => {
        const terms = conditions.map(parsed);
        const expected = terms.length === 1 ? terms[0] : { kind: 'and', terms, negated: false };
        expect(parseChangeFilter(written(conditions))).toEqual(expected);
      }),
    );
  });

  it('refuse anything else with a filter error, and nothing worse', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-c=.,()"\\]{0,20}$/)), (text) => {
        try {
          parseChangeFilter(text);
        } catch (error) {
          expect(error).toBeInstanceOf(MagError);
          expect((error as MagError).code).toBe('MAG_FILTER_INVALID');
        }
      }),
    );
  });

  it.each([
    ['id=eq.1', { id: 1 }, true],
    ['id=eq.1', { id: 2 }, false],
    ['id=neq.1', { id: null }, false],
    ['id=in.(1,2)', { id: 2 }, true],
    ['name=eq.Smith, John', { name: 'Smith, John' }, true],
    ['id=gt.1,name=like.a%', { id: 2, name: 'abc' }, true],
    ['id=gt.1,name=like.a%', { id: 2, name: 'bcd' }, false],
    ['done=is.null', { done: null }, true],
    ['done=not.is.null', { done: null }, false],
    ['id=isdistinct.1', { id: null }, true],
    ['id=isdistinct.1', { id: 1 }, false],
    ['id=not.isdistinct.1', { id: 1 }, true],
    ['id=isdistinct.null', { id: null }, false],
    ['', { id: 1 }, true],
  ])('%s on %j: %s', (filter, row, expected) => {
    expect(accepts(filter, row)).toBe(expected);
  });

  it.each(['id', 'id=eq', 'id=match.^a', 'id=in.1,2', 'id=in.(1', 'id=is.maybe', '=eq.1', 'a=like.b\\'])(
    'refuses %s',
    (filter) => {
      expect(() => parseChangeFilter(filter)).toThrow(MagError);
    },
  );
});
