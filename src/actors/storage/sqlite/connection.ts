import { DatabaseSync } from 'node:sqlite';
import { LIMITS } from '../../../limits.ts';
import { registerCasts } from './casting.ts';
import { type Confinement, confine } from './confinement.ts';

export interface TenantConnection {
  readonly database: DatabaseSync;
  readonly confinement: Confinement;
}

export interface ConnectionOptions {
  readonly file: string;
  /**
   * Milliseconds a statement may block this thread while another connection writes: 0 on an edge thread, where a
   * held write lock would otherwise stop every request.
   */
  readonly busyTimeout: number;
  /** WAL pages after which a commit checkpoints; 0: never, since a checkpoint would block an edge thread. */
  readonly checkpointPages: number;
  /** Longest value or row; default LIMITS.sqliteValueBytes. */
  readonly valueBytes?: number;
}

/**
 * Opens a project's database for a tenant's statements: confined to that one file by limits, the defensive flag and
 * the authorizer. The file must exist. Throws node:sqlite's errors (see sqlite-errors.ts).
 */
export function openTenantConnection(options: ConnectionOptions): TenantConnection {
  // Node 24 knows neither `limits` nor `defensive`; there the authorizer alone keeps ATTACH and writable_schema out.
  const database = new DatabaseSync(options.file, {
    timeout: options.busyTimeout,
    defensive: true,
    limits: {
      attach: 0,
      length: options.valueBytes ?? LIMITS.sqliteValueBytes,
      sqlLength: LIMITS.sqlBytes,
      likePatternLength: LIMITS.likePatternBytes,
      triggerDepth: LIMITS.sqliteTriggerDepth,
    },
  });
  try {
    database.exec('PRAGMA synchronous = NORMAL');
    database.exec(`PRAGMA wal_autocheckpoint = ${options.checkpointPages}`);
    // A view or trigger must not be able to call what its author could not call directly.
    database.exec('PRAGMA trusted_schema = OFF');
    database.exec('PRAGMA cell_size_check = ON');
    // A REPLACE must fire delete triggers, or the change log would miss the old row.
    database.exec('PRAGMA recursive_triggers = ON');
    registerCasts(database);
    return { database, confinement: confine(database) };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes an empty database in WAL mode at `file` unless there is one; idempotent. */
export function createDatabase(file: string): void {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA journal_mode = WAL');
    // Writes the header, so that the file is a database even before its first table.
    database.exec('PRAGMA user_version = 0');
  } finally {
    database.close();
  }
}
