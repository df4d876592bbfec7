import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandOf, controlsTransaction, splitScript } from '../../src/actors/storage/mysql/script.ts';

const texts = (script: string): readonly string[] => splitScript(script).map(({ text }) => text);

describe('a script of MySQL’s', () => {
  it.each([
    ['select 1; select 2;', ['select 1', 'select 2']],
    [`select ';', ";", \`;\`; select 2`, [`select ';', ";", \`;\``, 'select 2']],
    [`select 'it''s \\'; ', "\\";"; select 2`, [`select 'it''s \\'; ', "\\";"`, 'select 2']],
    ['select 1 -- a; b\n; select 2 # c; d', ['select 1 -- a; b', 'select 2 # c; d']],
    ['select 1 /* ; */; ; -- nothing', ['select 1 /* ; */']],
    ['select 5--2; select 1', ['select 5--2', 'select 1']],
    ["select 1; select 'open; select 2", ['select 1', "select 'open; select 2"]],
    ['create trigger t before insert on a for each row begin set @a = 1; end', 1],
    ['select 1; create or replace procedure p() begin select 1; select 2; end', 2],
    ['begin not atomic select 1; select 2; end', 1],
    ['begin; select 1; commit', 3],
    ['', 0],
  ])('%j is split where its statements end', (script, expected) => {
    const found = texts(script);
    expect(typeof expected === 'number' ? found.length : found).toEqual(expected);
  });

  it('counts parameters outside of strings, names and comments', () => {
    const [statement] = splitScript(`select ?, '?', "?", \`?\`, ? /* ? */ -- ?`);
    expect(statement?.parameters).toBe(2);
  });

  it('loses nothing but semicolons and what surrounds them', () => {
    const piece = fc.oneof(
      fc.constantFrom('select', ' ', '\n', ';', "'", '"', '`', '\\', '--', '-- ', '#', '/*', '*/', '?', "''"),
      fc.string({ maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const script = pieces.join('');
        let rest = script;
        for (const text of texts(script)) {
          const at = rest.indexOf(text);
          expect(at).toBeGreaterThanOrEqual(0);
          rest = rest.slice(at + text.length);
        }
      }),
    );
  });

  it('is read in one go, however long its strings are', () => {
    const long = `select '${'x'.repeat(4_000_000)}\\'${'\\\\'.repeat(500_000)}'; select 2`;
    expect(splitScript(long)).toHaveLength(2);
  });

  it.each([
    ['with a as (select 1) select * from a', 'SELECT'],
    ['create or replace table t (a int)', 'CREATE TABLE'],
    ['drop view if exists v', 'DROP VIEW'],
    ['create definer = a@b procedure p() select 1', 'CREATE PROCEDURE'],
    ['insert into t values (1)', 'INSERT'],
    ['show tables', 'SHOW'],
  ])('%s is the command %s', (script, command) => {
    const [statement] = splitScript(script);
    expect(statement && commandOf(statement)).toBe(command);
  });

  it.each([
    ['begin', true],
    ['start transaction read only', true],
    ['set autocommit = 0', true],
    ['set session transaction isolation level serializable', true],
    ['set @a = 1', false],
    ['begin not atomic select 1; end', false],
    ['select 1', false],
  ])('%s controls a transaction: %s', (script, expected) => {
    const [statement] = splitScript(script);
    expect(statement && controlsTransaction(statement)).toBe(expected);
  });
});
