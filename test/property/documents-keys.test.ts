import { Decimal128, type Document, Long, ObjectId } from 'bson';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareValues, keyOf } from '../../src/actors/storage/documents/bson-key.ts';
import { compileFilter } from '../../src/actors/storage/documents/matcher.ts';
import { likePattern } from '../../src/actors/storage/mongodb/patterns.ts';
import { like } from '../../src/protocol/like.ts';

const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
);
const text = fc.string({ unit: 'binary', maxLength: 8 });
const scalar = fc.oneof(
  number,
  text,
  fc.boolean(),
  fc.constant(null),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new ObjectId(bytes)),
);
const exact = (value: unknown): bigint | number => (value instanceof Long ? value.toBigInt() : Number(value));

describe('keys of values', () => {
  it('have the order of the numbers, whatever their types', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [left, right] = [exact(a), exact(b)];
        const order = left < right ? -1 : left > right ? 1 : 0;
        expect(Math.sign(Buffer.compare(keyOf(a), keyOf(b)))).toBe(order);
      }),
      { numRuns: 2_000 },
    );
  });

  it('have the order of texts by code points', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const order = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(Math.sign(compareValues(a, b))).toBe(order);
        // A lone surrogate becomes the replacement character in UTF-8, here as there.
        expect(Math.sign(Buffer.compare(keyOf(a), keyOf(b)))).toBe(order);
      }),
    );
  });

  it('of several values one after the other have the order of the first that differs', () => {
    fc.assert(
      fc.property(fc.tuple(scalar, scalar), fc.tuple(scalar, scalar), (a, b) => {
        const first = Math.sign(compareValues(a[0], b[0]));
        const order = first === 0 ? Math.sign(compareValues(a[1], b[1])) : first;
        const joined = (pair: readonly unknown[]) => Buffer.concat(pair.map(keyOf));
        expect(Math.sign(Buffer.compare(joined(a), joined(b)))).toBe(order);
      }),
    );
  });

  it('are one for a number of each type', () => {
    expect(keyOf(1)).toEqual(keyOf(Long.fromNumber(1)));
    expect(keyOf(1)).toEqual(keyOf(Decimal128.fromString('1')));
    expect(keyOf(0)).toEqual(keyOf(-0));
  });
});

describe('LIKE as a regular expression', () => {
  it('says what SQL’s LIKE says', () => {
    const piece = fc.constantFrom(
      '%',
      '_',
      'a',
      'b',
      '.',
      '*',
      '(',
      '😀',
      '\n',
      '\\%',
      '\\\\',
      '$',
      '^',
      '1',
    );
    const pattern = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
    const subject = fc.array(fc.constantFrom('a', 'b', '.', '😀', '\n', '%', '(', '1', '\\'), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        pattern,
        subject.map((pieces) => pieces.join('')),
        (wanted, given) => {
          expect(new RegExp(likePattern(wanted), 'u').test(given)).toBe(like(given, wanted));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('costs no exponential time', () => {
    const pattern = new RegExp(likePattern(`${'%a'.repeat(60)}%b`), 'u');
    expect(pattern.test('a'.repeat(50_000))).toBe(false);
  });
});

describe('filters of documents', () => {
  it('a negation holds exactly where the filter does not', () => {
    const condition = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('$eq', '$gt', '$lte', '$ne'),
          fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom('a', null)),
        )
        .map(([op, value]) => ({ [op]: value })),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }).map((list) => ({ $in: list })),
      fc.boolean().map((wanted) => ({ $exists: wanted })),
    );
    const row: fc.Arbitrary<Document> = fc.record(
      {
        a: fc.oneof(
          fc.integer({ min: 0, max: 3 }),
          fc.constantFrom('a', null),
          fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(condition, row, (given, document) => {
        const holds = compileFilter({ a: given })(document);
        expect(compileFilter({ a: { $not: given } })(document)).toBe(!holds);
        expect(compileFilter({ $nor: [{ a: given }] })(document)).toBe(!holds);
      }),
    );
  });
});
