import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOperations } from '../../src/actors/gate/transaction/operations.ts';
import { References } from '../../src/actors/gate/transaction/references.ts';
import { parseExact, stringifyExact } from '../../src/protocol/exact-json.ts';
import type { JsonValue } from '../../src/protocol/query.ts';

const secret = (): Uint8Array => new Uint8Array([1, 2, 3]);

/** Values as columns hold them, among them texts that look like anything of ours. */
const values = (): fc.Arbitrary<JsonValue> =>
  fc
    .oneof(
      fc.jsonValue(),
      fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n - 1n }),
      fc.constantFrom('eq.1', 'a,b)', '\u0000ref:AQID:0', '{"$ref":"0.0.a"}', '*', 'null', '"'),
    )
    // As a body has them: no -0, and integers beyond 2^53 as BigInts.
    .map((value) => parseExact(stringifyExact(value)));

const result = (rows: JsonValue) => ({
  json: stringifyExact(rows),
  rowCount: 1,
  total: null,
  totalKind: null,
});

describe('a reference', () => {
  it('gives the very value of the row it names, whatever that is and whatever the column is called', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), values(), fc.nat({ max: 3 }), (column, value, row) => {
        fc.pre(column !== '__proto__');
        const references = new References(new Map([['made', 0]]), secret());
        const cell = references.read({ $ref: `made.${row}.${column}` }, 1);
        const rows = Array.from({ length: 4 }, (_, at) => ({ [column]: at === row ? value : 'another' }));
        const query = {
          kind: 'insert',
          schema: 'public',
          table: 't',
          missing: 'null',
          rows: [{ x: cell, y: 7 }],
        } as const;
        const bound = references.bind(query, [result(rows)]);
        expect(bound).toEqual({ ...query, rows: [{ x: value, y: 7 }] });
      }),
    );
  });

  it('compares to the text of that value, which is never read as more than one', () => {
    const scalars = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom('1,2', 'x)&or=(id.gt.0', '*'),
    );
    fc.assert(
      fc.property(scalars, (value) => {
        const references = new References(new Map(), secret());
        const mark = references.read({ $ref: '0.0.a' }, 1);
        const where = {
          kind: 'compare',
          column: { name: 'a' },
          op: 'eq',
          value: String(mark),
          negated: false,
        } as const;
        const own = { kind: 'compare', column: { name: 'b' }, op: 'gt', value: 'b', negated: false } as const;
        const query = { kind: 'delete', schema: 'public', table: 't' } as const;
        const both = { kind: 'and', terms: [own, where], negated: false } as const;
        expect(references.bind({ ...query, where: both }, [result([{ a: value }])])).toEqual({
          ...query,
          where: { ...both, terms: [own, { ...where, value: String(value) }] },
        });
      }),
    );
  });

  it('is never made of a value that only looks like one', () => {
    fc.assert(
      fc.property(values(), (value) => {
        const body = { method: 'insert', table: 't', values: { a: { $value: value } } } as const;
        const { list, references } = planOperations([body], secret(), { grants: [] });
        const [planned] = list;
        expect(references.operations.size).toBe(0);
        expect(planned?.query).toMatchObject({ kind: 'insert', rows: [{ a: value }] });
      }),
    );
  });
});

describe('a body of operations', () => {
  const anything = (): fc.Arbitrary<JsonValue> =>
    fc.oneof(
      fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue),
      fc.record({ $ref: fc.oneof(fc.string(), fc.constantFrom('0.0.a', 'a.0.b')) }),
    );

  it('is planned, or refused with a code', () => {
    const operation = fc.record(
      {
        method: fc.constantFrom('select', 'insert', 'upsert', 'update', 'delete'),
        table: fc.string({ minLength: 1 }),
        values: anything(),
        query: fc.string(),
        where: fc.dictionary(
          fc.string(),
          fc.oneof(anything(), fc.dictionary(fc.constantFrom('eq', 'in', 'is'), anything())),
        ),
      },
      { requiredKeys: ['method', 'table'] },
    );
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 3 }), (bodies) => {
        try {
          // The schema at the door admits all of these.
          expect(planOperations(bodies as never, secret(), { grants: [] }).list).toHaveLength(bodies.length);
        } catch (error) {
          expect(error).toMatchObject({ status: expect.any(Number), code: expect.any(String) });
          expect((error as { status: number }).status).toBeLessThan(500);
        }
      }),
    );
  });
});
