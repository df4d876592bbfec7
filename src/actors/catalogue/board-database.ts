import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describeError, MagError } from '../../errors.ts';
import { MIGRATIONS, type Migration, migrate } from './migrations.ts';

/**
 * Opens the board's own database, durable at every commit (WAL, synchronous FULL) and readable by its owner only.
 * `at` is the time that migrations are recorded under. Throws MAG_CATALOGUE_UNUSABLE.
 */
export function openBoardDatabase(
  file: string,
  at: string,
  migrations: readonly Migration[] = MIGRATIONS,
): DatabaseSync {
  let database: DatabaseSync | undefined;
  let problem: string | null;
  let cause: unknown;
  try {
    // Made here with narrow permissions: SQLite gives its -wal and -shm files those of the main one.
    closeSync(openSync(file, 'a', 0o600));
    database = new DatabaseSync(file, { timeout: 1_000 });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    problem = migrate(database, migrations, at);
    if (problem === null) return database;
  } catch (error) {
    problem = describeError(error);
    cause = error;
  }
  database?.close();
  throw new MagError('MAG_CATALOGUE_UNUSABLE', { file, problem }, { cause });
}
