import { describe, expect, it } from 'vitest';
import { parseExact } from '../../../src/protocol/exact-json.ts';
import type { JsonValue, Row } from '../../../src/protocol/query.ts';
import { column, compare, insert, type Subject, select, within } from './subject.ts';

/** What goes in comes out: sizes, scripts, types. */
export function values(subject: () => Subject): void {
  describe('values', () => {
    const stored = async (name: string, value: JsonValue): Promise<string> => {
      const query = insert([{ name: 'x', [name]: value }], { returning: [column(name, 'v')] });
      return (await subject().execute(query)).json;
    };

    it.each(['9007199254740993', '9223372036854775807', '-9223372036854775808'])(
      'the integer %s survives as JSON text, and finds its row',
      async (big) => {
        expect(await stored('big', big)).toBe(`[{"v":${big}}]`);
        const where = compare('big', 'eq', big);
        expect((await subject().execute(select({ where, select: [column('big')] }))).json).toBe(
          `[{"big":${big}}]`,
        );
        expect(await subject().rows(select({ where: within('big', ['1', big]) }))).toHaveLength(1);
      },
    );

    it('an integer beyond 2^53 out of a JSON body survives wherever it stands', async () => {
      const body =
        '{"name":"x","big":9007199254740993,"note":9007199254740993,"attrs":{"n":[9007199254740993]}}';
      const returning = [column('big'), column('note'), column('attrs')];
      const row = parseExact(body) as Row;
      const stored = '"big":9007199254740993,"note":"9007199254740993","attrs":{"n":[9007199254740993]}';
      const written = (await subject().execute(insert([row], { returning }))).json;
      expect(written.replaceAll(/\s/g, '')).toBe(`[{${stored}}]`);
      const set = parseExact('{"big":-9223372036854775808}') as Row;
      const update = { kind: 'update', schema: 'public', table: 'items', set, returning } as const;
      expect((await subject().execute(update)).json).toContain('-9223372036854775808');
      const { placeholder } = subject().under.words;
      const params = parseExact('[-9223372036854775808]') as readonly JsonValue[];
      const found = await subject().sqlRows(`select name from items where big = ${placeholder(1)}`, params);
      expect(found).toEqual([{ name: 'x' }]);
    });

    it.each([
      'Grüße',
      '漢字かな',
      '👩‍👩‍👧 emoji',
      'quote " \\ back',
      "single ' quote",
      'line\nbreak\ttab',
      '',
      '{"a":1}',
      '\u2028',
    ])('the text %j survives', async (text) => {
      expect(JSON.parse(await stored('note', text))).toEqual([{ v: text }]);
      expect(await subject().rows(select({ where: compare('note', 'eq', text) }))).toHaveLength(1);
    });

    it.each([true, false, null])('the boolean %s is a boolean', async (value) => {
      expect(JSON.parse(await stored('done', value))).toEqual([{ v: value }]);
    });

    it.each([
      { nested: { list: [1, 'two', null, true] } },
      [1, 2, 3],
      'a string',
      '{"looks":"like json"}',
      42,
      true,
      { 'ключ "x"': 'значение' },
    ])('the JSON value %j comes back as JSON', async (value) => {
      expect(JSON.parse(await stored('attrs', value))).toEqual([{ v: value }]);
    });

    it.each([0, 1.5, -2.25, 0.1, 1e300, 1 / 3])('the double %d survives exactly', async (value) => {
      expect(JSON.parse(await stored('price', value))).toEqual([{ v: value }]);
    });

    it('bytes come and go as hexadecimal text', async () => {
      expect(JSON.parse(await stored('raw', '\\x00ff10'))).toEqual([{ v: '\\x00ff10' }]);
      expect(await subject().rows(select({ where: compare('raw', 'eq', '\\x00ff10') }))).toHaveLength(1);
    });

    it('a number in a text column is its text', async () => {
      expect(JSON.parse(await stored('note', 5))).toEqual([{ v: '5' }]);
    });

    it('a text of one megabyte survives', async () => {
      const text = 'é'.repeat(500_000);
      expect(JSON.parse(await stored('note', text))).toEqual([{ v: text }]);
    });
  });
}
