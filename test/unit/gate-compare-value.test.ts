import { describe, expect, it } from 'vitest';
import { compareValue } from '../../src/protocol/compare-value.ts';
import { evaluate } from '../../src/protocol/filter-match.ts';

const sign = (value: number | null): number | null => (value === null ? null : Math.sign(value));

describe('a stored value against the text of a filter', () => {
  it.each([
    [5, '5', undefined, 0],
    [5, ' 5.0 ', undefined, 0],
    [5, '10', undefined, -1],
    [5, 'five', undefined, null],
    [1, 'true', undefined, 0],
    [true, 't', 'bool', 0],
    [false, 'yes', 'bool', -1],
    [true, 'maybe', 'bool', null],
    ['10', '9', 'text', -1],
    ['\u{1f600}', '\uffee', 'text', 1],
    ['9007199254740993', '9007199254740992', 'int8', 1],
    ['10000000000000000', '5', 'int8', 1],
    ['1.50', '1.5', 'numeric', 0],
    ['0.1234567890123456789', '0.1234567890123456788', 'numeric', null],
    [9007199254740992, '9007199254740993', 'int8', null],
    ['2026-01-01T10:00:00+00:00', '2026-01-01 12:00:00+02', 'timestamptz', 0],
    ['2026-01-01T10:00:00', '2026-01-01T10:00:00.000001', 'timestamp', -1],
    ['2026-01-01', '2026-02-01', 'date', -1],
    ['2026-01-01T10:00:00', 'soon', 'timestamp', null],
    ['5f0c1d2e-0000-4000-8000-000000000001', '5F0C1D2E-0000-4000-8000-000000000001', 'uuid', 0],
    ['2026-01-01T10:00:00', '2026-01-01T12:00:00+02', 'timestamp', -1],
    ['2026-01-01', '2026-01-01T23:00:00Z', 'date', 0],
    ['2026-01-01', '1', 'date', null],
    ['1 day', '24:00:00', 'interval', null],
    ['{"a":1}', '{"a":1}', 'jsonb', null],
    [null, '1', undefined, null],
    [[1], '1', undefined, null],
    [{ a: 1 }, '1', undefined, null],
  ])('%j against %j as %s: %s', (value, text, type, expected) => {
    const rules = type === undefined ? null : ({ engine: 'postgres', type } as const);
    expect(sign(compareValue(value, text, rules))).toBe(expected);
  });

  it.each([
    ['2026-01-01 10:00:00', '2026-01-01T09:00:00', 'timestamp', -1],
    ['2026-01-01T10:00:00', '2026-01-01T10:00:00', 'timestamp', 0],
    ['A0', 'a0', 'uuid', -1],
    ['abc', '5', 'numeric', 1],
    [5, 'abc', 'numeric', -1],
    [5, 'five', 'int8', null],
    [true, '1', 'bool', 0],
    ['9007199254740993', '9007199254740992', 'int8', 1],
    ['a', 'a', 'json', null],
  ])('in SQLite, %j against %j as %s: %s', (value, text, type, expected) => {
    expect(sign(compareValue(value, text, { engine: 'sqlite', type }))).toBe(expected);
  });
});

describe('a filter', () => {
  it('finds no column through the prototype of a row', () => {
    const filter = { kind: 'is', column: { name: 'constructor' }, value: 'null', negated: false } as const;
    expect(evaluate(filter, { id: 1 })).toBe(true);
  });
});
