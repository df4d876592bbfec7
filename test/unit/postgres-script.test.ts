import { expect, it } from 'vitest';
import { transactionControl } from '../../src/actors/storage/postgres/script.ts';

const BODY = 'begin atomic insert into t values (1); select case when true then 1 end; end';

it.each([
  `create function f() returns int language sql ${BODY}`,
  `create or replace procedure f(a int default (1)) language sql ${BODY}; select 1`,
  `CREATE /* /* so */ */ FUNCTION f() RETURNS int BEGIN -- of it\n ATOMIC SELECT 1 AS "end"; END; select 2`,
  'create procedure p() begin atomic end; select 1',
  `create function f() returns int ${BODY}; create function g() returns int ${BODY};`,
  'select 1; rollback to a; savepoint begin',
  'select 1 /* /* ; */ ; commit */',
  'prepare q as select 1',
])('sees no transaction begin or end in %s', (script) => {
  expect(transactionControl(script)).toBeNull();
});

it.each([
  ['select 1; end', 'END'],
  [`create function f() returns int ${BODY}; end`, 'END'],
  [`create function f() returns int ${BODY}; commit`, 'COMMIT'],
  ['create procedure p() begin atomic end; end', 'END'],
  ['create function f() returns int begin atomic select 1; commit; end', 'COMMIT'],
  // None of these is a body to PostgreSQL.
  ["create function f() returns int language sql /* /* x */ begin atomic */ as 'select 1'; end", 'END'],
  [`create function f(begin int, "atomic" int) returns int as 'select 1'; end`, 'END'],
  ['create function f(begin atomic) returns int return 1; end', 'END'],
  [`create function f() returns int as 'begin atomic'; end`, 'END'],
  ['create view v as select begin atomic from t; end', 'END'],
  ['begin atomic; end', 'BEGIN ATOMIC'],
  ['insert into t values (1); /* */ start transaction', 'START TRANSACTION'],
])('sees that one does in %s', (script, words) => {
  expect(transactionControl(script)).toBe(words);
});
