import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { readSchema } from '../../src/actors/storage/sqlite/sqlite-schema.ts';

it('a view of SQLite without a trigger takes no writes; of one with any, and of tables, that is not known', () => {
  const database = new DatabaseSync(':memory:');
  database.exec(`
    create table games (id integer primary key, title text);
    create view shown as select title from games;
    create view "Kept" as select title from games;
    create trigger keep instead of insert on "Kept" begin insert into games (title) values (new.title); end`);
  const { tables } = readSchema(database);
  database.close();
  expect([...tables].map(([name, { writes }]) => [name, writes])).toEqual([
    ['Kept', undefined],
    ['games', undefined],
    ['shown', []],
  ]);
});
