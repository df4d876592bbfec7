import { describe, expect, it } from 'vitest';
import { onlyReads, splitStatements } from '../../src/actors/storage/sqlite/statement-splitter.ts';

const texts = (script: string) => splitStatements(script).map((statement) => statement.text);

describe('splitting a script', () => {
  it.each([
    ['select 1', ['select 1']],
    ['select 1;', ['select 1']],
    [' ; ;; select 1 ; ; select 2 ;', ['select 1', 'select 2']],
    [`select ';' as a; select 2`, [`select ';' as a`, 'select 2']],
    [`select 'it''s; fine'; select 2`, [`select 'it''s; fine'`, 'select 2']],
    ['select 1 as "a;b"; select 2', ['select 1 as "a;b"', 'select 2']],
    ['select 1 as `a;b`; select 2', ['select 1 as `a;b`', 'select 2']],
    ['select 1 as [a;b]; select 2', ['select 1 as [a;b]', 'select 2']],
    ['select 1 -- one; two\n; select 2', ['select 1 -- one; two', 'select 2']],
    ['select /* a; b */ 1; select 2', ['select /* a; b */ 1', 'select 2']],
    ['-- nothing\n/* at all */', []],
    ['', []],
    [`select 'never closed; select 2`, [`select 'never closed; select 2`]],
  ])('%j', (script, expected) => {
    expect(texts(script)).toEqual(expected);
  });

  it('keeps the body of a trigger together, also with CASE … END in it', () => {
    const trigger = `create temp trigger t after insert on a begin
      update a set b = case when b > 1 then 2 else 3 end; -- end;
      insert into c values ('end;');
    end`;
    expect(texts(`${trigger}; select 1`)).toEqual([trigger, 'select 1']);
  });

  it('knows the first word, PostgreSQL’s parameters and what could write', () => {
    const [first, second] = splitStatements('  /* x */ Select $1; insert into a values (?)');
    expect(first).toMatchObject({ keyword: 'SELECT', dollarParams: true, mayWrite: false });
    expect(second).toMatchObject({ keyword: 'INSERT', dollarParams: false, mayWrite: true });
  });

  it.each([
    ['select 1', 0],
    ['select ?, ?', 2],
    ['select ?3, ?', 4],
    ['select $2, $1, $2', 2],
    [`select '?', "?", [?], 1 -- ?\n/* ? */`, 0],
    ['select ?, $1', null],
    ['select :a', null],
    ['select @a', null],
    ['select $a', null],
  ])('how many values %j takes: %j', (script, expected) => {
    expect(splitStatements(script).map(({ parameters }) => parameters)).toEqual([expected]);
  });

  it.each([
    ['select 1; values (2); explain delete from a', false],
    ['select 1; values (2); pragma table_info(a)', true],
    ['with a as (select 1) insert into b select * from a', false],
    [`select 'insert'`, true],
    ['create table a (b)', false],
  ])('whether %j only reads: %j', (script, expected) => {
    expect(onlyReads(splitStatements(script))).toBe(expected);
  });
});
