import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { EngineKind, ProjectRecord, ProjectSettings, ProjectStatus } from '../../protocol/project.ts';

/** A project's row: what the catalogue knows, and how often it changed. */
export interface StoredProject extends ProjectRecord {
  readonly version: number;
}

type Columns = Record<string, SQLOutputValue>;

/** Rows of the project table; every call is one durable transaction. */
export class ProjectStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Every project, in the order of creation. */
  all(): readonly StoredProject[] {
    const rows = this.#database.prepare('SELECT * FROM project ORDER BY created_at, ref').all();
    return rows.map(fromColumns);
  }

  find(ref: string): StoredProject | null {
    const row = this.#database.prepare('SELECT * FROM project WHERE ref = ?').get(ref);
    return row === undefined ? null : fromColumns(row);
  }

  findByName(name: string): StoredProject | null {
    const row = this.#database.prepare('SELECT * FROM project WHERE name = ?').get(name);
    return row === undefined ? null : fromColumns(row);
  }

  count(): number {
    return Number(this.#database.prepare('SELECT count(*) AS n FROM project').get()?.n);
  }

  insert(project: { ref: string; name: string; engine: EngineKind; createdAt: string }): void {
    this.#database
      .prepare(
        `INSERT INTO project (ref, name, engine, status, settings, created_at)
         VALUES (?, ?, ?, 'provisioning', '{"grants":[]}', ?)`,
      )
      .run(project.ref, project.name, project.engine, project.createdAt);
  }

  setStatus(ref: string, status: ProjectStatus): void {
    this.#database
      .prepare('UPDATE project SET status = ?, version = version + 1 WHERE ref = ?')
      .run(status, ref);
  }

  setSettings(ref: string, settings: ProjectSettings): void {
    this.#database
      .prepare('UPDATE project SET settings = ?, version = version + 1 WHERE ref = ?')
      .run(JSON.stringify(settings), ref);
  }

  rotateKeys(ref: string): void {
    this.#database
      .prepare('UPDATE project SET key_version = key_version + 1, version = version + 1 WHERE ref = ?')
      .run(ref);
  }

  remove(ref: string): void {
    this.#database.prepare('DELETE FROM project WHERE ref = ?').run(ref);
  }

  fact(key: string): string | null {
    const row = this.#database.prepare('SELECT value FROM board_fact WHERE key = ?').get(key);
    return row === undefined ? null : String(row.value);
  }

  setFact(key: string, value: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO board_fact VALUES (?, ?)').run(key, value);
  }
}

function fromColumns(row: Columns): StoredProject {
  return {
    ref: String(row.ref),
    name: String(row.name),
    // Engine and status are written by this class alone, status under a CHECK.
    engine: String(row.engine) as EngineKind,
    status: String(row.status) as ProjectStatus,
    keyVersion: Number(row.key_version),
    // Validated before it was stored.
    settings: JSON.parse(String(row.settings)) as ProjectSettings,
    createdAt: String(row.created_at),
    version: Number(row.version),
  };
}
