import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Credential, CredentialMode } from '../../protocol/credentials.ts';

/** A credential as the board remembers it: its password follows from the master key and `serial`, and is not here. */
export interface StoredCredential extends Credential {
  readonly serial: number;
}

/** Rows of the credential table; every call is one durable transaction. */
export class CredentialStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Of one project, in the order of creation. */
  list(ref: string): readonly StoredCredential[] {
    return this.#database
      .prepare('SELECT * FROM credential WHERE ref = ? ORDER BY created_at, id')
      .all(ref)
      .map(fromColumns);
  }

  find(ref: string, id: string): StoredCredential | null {
    const row = this.#database.prepare('SELECT * FROM credential WHERE ref = ? AND id = ?').get(ref, id);
    return row === undefined ? null : fromColumns(row);
  }

  insert(ref: string, { id, name, mode, createdAt }: Omit<Credential, 'rotatedAt'>): void {
    this.#database
      .prepare('INSERT INTO credential (ref, id, name, mode, created_at) VALUES (?, ?, ?, ?, ?)')
      .run(ref, id, name, mode, createdAt);
  }

  rotate(ref: string, id: string, at: string): void {
    this.#database
      .prepare('UPDATE credential SET serial = serial + 1, rotated_at = ? WHERE ref = ? AND id = ?')
      .run(at, ref, id);
  }

  remove(ref: string, id: string): void {
    this.#database.prepare('DELETE FROM credential WHERE ref = ? AND id = ?').run(ref, id);
  }

  removeAll(ref: string): void {
    this.#database.prepare('DELETE FROM credential WHERE ref = ?').run(ref);
  }
}

const fromColumns = (row: Record<string, SQLOutputValue>): StoredCredential => ({
  id: String(row.id),
  name: String(row.name),
  mode: String(row.mode) as CredentialMode, // under a CHECK
  createdAt: String(row.created_at),
  rotatedAt: row.rotated_at === null ? null : String(row.rotated_at),
  serial: Number(row.serial),
});
