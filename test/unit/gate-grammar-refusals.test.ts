import { describe, expect, it } from 'vitest';
import { parseParams } from '../../src/actors/gate/grammar/params.ts';
import { planTable } from '../../src/actors/gate/rest-plan.ts';
import { MagError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';

function refusal(parse: () => unknown): MagError {
  try {
    parse();
  } catch (error) {
    if (error instanceof MagError) return error;
    throw error;
  }
  throw new Error('it parsed');
}

describe('what is refused', () => {
  it.each([
    ['id=0', 1, 'unexpected "0" expecting "not" or operator (eq, gt, ...)'],
    ['id=noop.0', 1, 'unexpected "o" expecting "not" or operator (eq, gt, ...)'],
    ['id=not.noop.0', 5, 'unexpected "n" expecting operator (eq, gt, ...)'],
    ['id=eq', 3, 'unexpected end of input expecting operator (eq, gt, ...)'],
    ['id=fts().x', 5, 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['id=eq().x', 4, 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['id=is().x', 3, 'unexpected "(" expecting operator (eq, gt, ...)'],
    ['id=in().x', 3, 'unexpected "(" expecting operator (eq, gt, ...)'],
    ['id=neq(any).{1}', 4, 'unexpected "(" expecting operator (eq, gt, ...)'],
    ['id=eq(any).1', 9, 'unexpected "1" expecting "{"'],
    ['id=eq(any).{1', 11, 'unexpected end of input expecting "," or "}"'],
    ['id=eq(any).{1,null}', 12, 'a list holds no NULL'],
    ['id=in.1', 4, 'unexpected "1" expecting "("'],
    ['id=in.(1', 6, 'unexpected end of input expecting "," or ")"'],
    ['id=in.(1)x', 7, "unexpected 'x' expecting end of input"],
    ['id=is.maybe', 4, 'unexpected "m" expecting isVal: (null, not_null, true, false, unknown)'],
    ['or=(a.eq.1', 10, 'unexpected end of input expecting "," or ")"'],
    ['or=(a.eq.1)b', 11, "unexpected 'b' expecting end of input"],
    [
      'or=()',
      4,
      'unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)',
    ],
    ['or=)(', 3, 'unexpected ")" expecting "("'],
    ['or=(id.in.1,2)', 10, 'unexpected "1" expecting "("'],
    [
      'da!ta=eq.1',
      3,
      `unexpected '!' expecting letter, digit, "-", "->>", "->", delimiter (.) or end of input`,
    ],
    ['select=id,name!', 9, 'unexpected end of input expecting field name (* or [a..z0..9_$])'],
    [
      'select=id,clients(name[])',
      16,
      `unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`,
    ],
    ['select=name::', 7, 'unexpected end of input expecting letter or digit'],
    ['select=id.total()', 4, 'unexpected "t" expecting "sum", "avg", "count", "max" or "min"'],
    ['select=a,,b', 3, 'unexpected "," expecting field name (* or [a..z0..9_$])'],
    ['select=a)b', 3, `unexpected 'b' expecting ")", "," or end of input`],
    [
      `select=a'`,
      2,
      `unexpected ''' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`,
    ],
    ['or=(a.eq.1),(b.eq.2)', 11, `unexpected ',' expecting end of input`],
    ['select=data->>--34', 9, 'unexpected "-" expecting digit'],
    ['select=data->>-78xy', 11, `unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`],
    [
      'select=data->(a',
      7,
      'unexpected "(" expecting "-", digit or any non reserved character different from: .,>()',
    ],
    ['select=data->>a->b', 9, '->> gives text: nothing can follow it'],
    ['order=id.ac', 4, 'unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['order=id.descc', 8, `unexpected 'c' expecting delimiter (.), "," or end of input`],
    ['order=id.nulsfist', 4, 'unexpected "n" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['order=id.nullslasttt', 13, `unexpected 't' expecting "," or end of input`],
    ['order=id.asc.nullslasttt', 17, `unexpected 't' expecting "," or end of input`],
    ['order=id.asc.nlsfst', 8, 'unexpected "l" expecting "nullsfirst" or "nullslast"'],
    [
      'order=clients(name,id)',
      8,
      `unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input`,
    ],
    ['columns=', 1, 'unexpected end of input expecting field name (* or [a..z0..9_$])'],
    ['limit=x', 1, 'unexpected "x" expecting digit'],
    ['limit=', 1, 'unexpected end of input expecting digit'],
  ])('%s, at column %i: %s', (text, at, details) => {
    const error = refusal(() => parseParams(text));
    expect(error).toMatchObject({ code: 'PGRST100', status: 400, details, hint: null });
    expect(error.message).toMatch(new RegExp(`\\(line 1, column ${at}\\)$`));
  });

  it.each([
    ['id=0', '"failed to parse filter (0)" (line 1, column 1)'],
    ['or=()', '"failed to parse logic tree (())" (line 1, column 4)'],
    ['columns=', '"failed to parse columns parameter ()" (line 1, column 1)'],
    ['order=id.descc', '"failed to parse order (id.descc)" (line 1, column 8)'],
    ['select=a,,b', '"failed to parse select parameter (a,,b)" (line 1, column 3)'],
    ['a!=eq.1', '"failed to parse tree path (a!)" (line 1, column 2)'],
  ])("%s, in PostgREST's words", (text, message) => {
    expect(refusal(() => parseParams(text)).message).toBe(message);
  });

  it('what is addressed to a table that is not embedded', () => {
    const error = {
      code: 'PGRST108',
      status: 400,
      message: "'clientsx' is not an embedded resource in this request",
      details: null,
      hint: "Verify that 'clientsx' is included in the 'select' query parameter.",
    };
    for (const rest of ['clientsx.id=eq.1', 'clientsx.order=id', 'clientsx.limit=1', 'order=clientsx(id)']) {
      expect(refusal(() => parseParams(`select=id,clients(id)&${rest}`))).toMatchObject(error);
    }
    expect(refusal(() => parseParams('order=clientsx(id)'))).toMatchObject(error);
  });

  it('two embeds of one name, at any depth', () => {
    const plan = (select: string): unknown => planTable('GET', 'projects', `select=${select}`, {}, '');
    for (const [select, name] of [
      ['clients(id),clients(name)', 'projects_clients_1'],
      ['a:clients(id),a:users(id)', 'projects_a_1'],
      ['clients(people(id),people(name))', 'clients_people_2'],
    ] as const) {
      const message = `table name "${name}" specified more than once`;
      expect(() => plan(select)).toThrow(
        expect.objectContaining({ code: '42712', status: 400, message, hint: null }),
      );
    }
    expect(() => plan('clients(id),others:clients(name)')).not.toThrow();
  });

  it('escapes that are no UTF-8, as a bad request', () => {
    expect(refusal(() => parseParams('a=eq.%ff%zz'))).toMatchObject({ code: 'MAG_BAD_REQUEST', status: 400 });
  });

  it('a negative limit, as a range that cannot be', () => {
    expect(refusal(() => parseParams('limit=-1'))).toMatchObject({ code: 'PGRST103', status: 416 });
  });

  it('more terms, depth, columns, members or orders than the limits allow', () => {
    const many = (count: number, text: string, glue = ','): string => new Array(count).fill(text).join(glue);
    const deep = LIMITS.filterDepth + 1;
    for (const text of [
      `or=(${many(LIMITS.filterTerms + 1, 'a.eq.1')})`,
      many(LIMITS.filterTerms + 1, 'a=eq.1', '&'),
      `and=${'('.repeat(1)}${'or('.repeat(deep)}a.eq.1${')'.repeat(deep + 1)}`,
      `select=${many(LIMITS.selectItems + 1, 'a')}`,
      `order=${many(LIMITS.orderTerms + 1, 'a')}`,
      `a=in.(${many(LIMITS.inListItems + 1, '1')})`,
      `a=eq(any).{${many(LIMITS.inListItems + 1, '1')}}`,
      `select=${many(LIMITS.embeds + 1, 'a(b)')}`,
      `select=${'a('.repeat(LIMITS.embedDepth + 1)}b${')'.repeat(LIMITS.embedDepth + 1)}`,
      `${'a.'.repeat(LIMITS.embedDepth + 1)}b=eq.1`,
      `${'a.'.repeat(LIMITS.embedDepth + 1)}limit=1`,
      `select=a${'->b'.repeat(LIMITS.jsonPathSteps + 1)}`,
      'select=a->2147483648',
    ]) {
      expect(refusal(() => parseParams(text)).code).toBe('PGRST100');
    }
  });
});
