import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { toPublicError } from '../../src/actors/storage/sqlite/sqlite-errors.ts';

describe('what SQLite says of a statement', () => {
  it.each([
    ['INSERT INTO made (a, twice) VALUES (1, 2)', '428C9', 400],
    ['UPDATE made SET twice = 3', '428C9', 400],
    ['INSERT INTO seen VALUES (1)', '55000', 400],
    ['DELETE FROM sqlite_schema', '42501', 403],
    ['SELECT * FROM nowhere', '42P01', 404],
    ['SELECT absent FROM made', '42703', 400],
    ['SELEC', '42601', 400],
  ])('%s has the SQLSTATE that PostgreSQL gives it', (text, code, status) => {
    const database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE made (a, twice AS (a * 2)); CREATE VIEW seen AS SELECT a FROM made');
    let failure: unknown;
    try {
      database.exec(text);
    } catch (error) {
      failure = toPublicError(error);
    }
    database.close();
    expect(failure).toMatchObject({ code, status });
  });

  it.each([
    ['"some table"', 'b', 'null value in column "b" of relation "some table" violates not-null constraint'],
    ['"a.b"', 'c', 'null value violates not-null constraint (NOT NULL constraint failed: a.b.c)'],
  ])(
    'a NULL in %s is told by its column, in the words of PostgreSQL, where that is sure',
    (table, column, message) => {
      const database = new DatabaseSync(':memory:');
      database.exec(`CREATE TABLE ${table} (a, ${column} NOT NULL)`);
      let failure: unknown;
      try {
        database.exec(`INSERT INTO ${table} (a) VALUES (1)`);
      } catch (error) {
        failure = toPublicError(error);
      }
      database.close();
      expect(failure).toMatchObject({ code: '23502', message });
    },
  );
});
