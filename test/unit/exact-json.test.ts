import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/limits.ts';
import { parseExact, parseFinite, stringifyExact } from '../../src/protocol/exact-json.ts';

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('JSON with exact integers', () => {
  it.each([
    '9007199254740993',
    '{"a":[-9007199254740993,{"b":123456789012345678901234567890}]}',
    '[1,9007199254740991,0.1,"9007199254740993",true,null]',
  ])('%s is written as it was read', (text) => {
    expect(stringifyExact(parseExact(text))).toBe(text);
  });

  it('leaves what a number holds exactly, and fractions, as numbers', () => {
    expect(parseExact('[9007199254740991,0.30000000000000004]')).toEqual([9007199254740991, 0.1 + 0.2]);
  });

  it('keeps a member called __proto__ a member', () => {
    const value = parseExact('{"__proto__":9007199254740993}');
    expect(Object.keys(value as object)).toEqual(['__proto__']);
  });

  it('refuses what is nested too deeply, and counts no brackets inside strings', () => {
    expect(parseExact(nested(LIMITS.jsonDepth))).toBeDefined();
    expect(() => parseExact(nested(LIMITS.jsonDepth + 1))).toThrow(RangeError);
    expect(() => parseExact(nested(1_000_000))).toThrow(RangeError);
    const text = JSON.stringify([`${'['.repeat(2_000)}"`, '\\', '{'.repeat(2_000)]);
    expect(parseExact(text)).toHaveLength(3);
  });

  it.each(['1e400', '{"a":[-1.5E+309]}', '9'.repeat(500)])('refuses %s where it is to be stored', (text) => {
    expect(parseExact(text)).toBeDefined();
    expect(() => parseFinite(text)).toThrow('a number is too large');
  });

  it.each(['"\\ud800"', '{"a":["\\uDFFF"]}', '{"\\ud800":1}', '"\\ud83d \\ude00"'])(
    'refuses %s, which no encoding has, from a client',
    (text) => {
      expect(parseExact(text)).toBeDefined();
      expect(() => parseFinite(text)).toThrow('half of a surrogate pair');
    },
  );

  it('keeps integers exact beside the escape of a pair', () => {
    expect(parseFinite('["\\ud83d\\ude00",9007199254740993]')).toEqual(['😀', 9007199254740993n]);
    expect(() => parseFinite('["\\ud83d\\ude00",1e400]')).toThrow('a number is too large');
  });

  it('takes what only looks too large', () => {
    const value = { id: '1e234567', text: ':1e400', large: 1e300, big: 9007199254740993n };
    expect(parseFinite(stringifyExact(value))).toEqual(value);
  });

  it('reads a number of a hundred thousand digits in no time', () => {
    expect(parseExact('1'.repeat(100_000))).toBe(Number.POSITIVE_INFINITY);
  });
});
