import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrayJson, encoderOf } from '../../src/actors/storage/postgres/cells.ts';
import { arrayLiteral, cellText } from '../../src/actors/storage/postgres/values.ts';
import { postgresDialect } from '../../src/actors/storage/sql/dialect-postgres.ts';

const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));

describe('values on their way to PostgreSQL and back', () => {
  it('an array literal reads back as the array it was made of', () => {
    const item = fc.option(text);
    fc.assert(
      fc.property(fc.array(item), (items) => {
        expect(JSON.parse(arrayJson(arrayLiteral(items), JSON.stringify))).toEqual(items);
      }),
    );
  });

  it('so does one of several dimensions', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer(), { minLength: 1 }), { minLength: 1 }), (rows) => {
        expect(JSON.parse(arrayJson(arrayLiteral(rows), encoderOf('int4')))).toEqual(rows);
      }),
    );
  });

  it('whatever text an array arrives as, what leaves is JSON', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(() => JSON.parse(arrayJson(value, JSON.stringify))).not.toThrow();
        expect(() => JSON.parse(arrayJson(`{${value}`, JSON.stringify))).not.toThrow();
      }),
    );
  });

  it.each([
    ['int8', '9007199254740993', '9007199254740993'],
    ['float8', 'NaN', '"NaN"'],
    ['float8', '-Infinity', '"-Infinity"'],
    ['numeric', '1.50', '1.50'],
    ['bool', 'f', 'false'],
    ['jsonb', '{"a": 1}', '{"a": 1}'],
    ['timestamp', '2026-01-02 03:04:05.6', '"2026-01-02T03:04:05.6"'],
    ['timestamptz', '2026-01-02 03:04:05+05:30', '"2026-01-02T03:04:05+05:30"'],
    ['timestamptz', 'infinity', '"infinity"'],
    ['_bool', '{t,f,NULL}', '[true,false,null]'],
    ['date', '2026-01-02', '"2026-01-02"'],
  ])('a %s of %s is %s in JSON', (type, value, json) => {
    expect(encoderOf(type)(value)).toBe(json);
  });

  it('a body’s value becomes the text of its column', () => {
    expect(cellText('x', 'jsonb')).toBe('"x"');
    expect(cellText('x', 'text')).toBe('x');
    expect(cellText([1, null], 'integer[]')).toBe('{"1",NULL}');
    expect(cellText({ a: 1 }, 'text')).toBe('{"a":1}');
    expect(cellText(null, 'jsonb')).toBe(null);
  });
});

describe('names', () => {
  it('reach SQL only quoted, whatever they hold', () => {
    fc.assert(
      fc.property(text, (name) => {
        const quoted = postgresDialect.quoteIdentifier(name);
        expect(quoted.slice(1, -1).replaceAll('""', '')).not.toContain('"');
        expect(quoted.slice(1, -1).replaceAll('""', '"')).toBe(name);
      }),
    );
    expect(() => postgresDialect.quoteIdentifier('a\0b')).toThrow(
      expect.objectContaining({ code: 'PGRST100' }),
    );
  });
});
