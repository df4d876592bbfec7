import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, it } from 'vitest';
import { readSchema } from '../../src/actors/storage/sqlite/sqlite-schema.ts';
import { uniqueViolation } from '../../src/actors/storage/sqlite/unique-violation.ts';

const database = new DatabaseSync(':memory:');
database.exec(`
  create table items (id integer primary key, name text unique, a int, b int, code text, part text, unique (a, b));
  create unique index items_by_code on items (code);
  create unique index items_by_part on items (lower(part));
  create table pairs (a int, b int, primary key (a, b)) without rowid;
  create table named (id int, constraint mine unique (id));
  create table twice (id int unique);
  create unique index also on twice (id) where id > 0;
  create table other (id int unique);
  create table sent (id int);
  create trigger pass after insert on sent begin insert into other values (new.id); end;`);
afterAll(() => database.close());

const nameOf = (table: string, insert: string): string | null => {
  const info = readSchema(database).tables.get(table);
  if (info === undefined) throw new Error('no such table');
  try {
    database.exec(`${insert}; ${insert}`);
  } catch (error) {
    const found = uniqueViolation(database, info, error);
    expect(found === null || found.code === '23505').toBe(true);
    return found?.message ?? null;
  }
  throw new Error('no error');
};

it.each([
  ['items', 'insert into items (id) values (1)', 'items_pkey'],
  ['items', `insert into items (name) values ('x')`, 'items_name_key'],
  ['items', 'insert into items (a, b) values (1, 2)', 'items_a_b_key'],
  ['items', `insert into items (code) values ('x')`, 'items_by_code'],
  ['items', `insert into items (part) values ('X')`, 'items_by_part'],
  ['pairs', 'insert into pairs values (1, 2)', 'pairs_pkey'],
])('a duplicate in %s is told by the name of its key: %s', (table, insert, name) => {
  expect(nameOf(table, insert)).toBe(`duplicate key value violates unique constraint "${name}"`);
});

it.each([
  ['a constraint that has a name, which SQLite forgets', 'named', 'insert into named values (1)'],
  ['one of two keys over the same column', 'twice', 'insert into twice values (1)'],
  ['a key of another table that a trigger wrote to', 'sent', 'insert into sent values (1)'],
])('and by no name where it is not sure: %s', (_what, table, insert) => {
  expect(nameOf(table, insert)).toBeNull();
});
