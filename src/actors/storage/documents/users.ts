import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { DocumentError } from './document-error.ts';
import { ITERATIONS, type ScramVerifier, scramVerifier } from './scram.ts';

/** Who is on a connection: the administrator, or a user of one database who reaches nothing else. */
export interface User {
  readonly name: string;
  readonly database: string;
  readonly admin: boolean;
  /** May look, and change nothing. */
  readonly reader: boolean;
  /**
   * Whoever has not the name of the database itself: that one is the board's alone. The board keeps records beside a
   * project's collections, so that both change in one transaction; guests have no part in those.
   */
  readonly guest: boolean;
}

/** What the board's own collections in a project's database begin with. */
const BOARDS_OWN = '_mag_';

export const mayReach = (user: User | null, collection: string): boolean =>
  user?.guest !== true || !collection.startsWith(BOARDS_OWN);

export interface KnownUser extends User {
  readonly verifier: ScramVerifier;
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS users (
    name TEXT NOT NULL, database TEXT NOT NULL, salt BLOB NOT NULL, iterations INTEGER NOT NULL,
    stored_key BLOB NOT NULL, server_key BLOB NOT NULL, reader INTEGER NOT NULL, PRIMARY KEY (database, name)) WITHOUT ROWID`;

interface UserRow {
  readonly name: string;
  readonly database: string;
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly stored_key: Uint8Array;
  readonly server_key: Uint8Array;
  readonly reader: number;
}

/** The users of the server, durable before a command that changes them is answered. Passwords are not kept. */
export class Users {
  readonly #database: DatabaseSync;
  readonly #admin: KnownUser;
  readonly #randomBytes: (size: number) => Uint8Array;

  /** @param admin its verifier comes with the start of the process and is stored nowhere. */
  constructor(file: string, admin: KnownUser, randomBytes: (size: number) => Uint8Array) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(file, { timeout: DOCUMENT_LIMITS.busyMs });
    this.#database.exec(SCHEMA);
    this.#admin = admin;
    this.#randomBytes = randomBytes;
  }

  find(database: string, name: string): KnownUser | null {
    if (database === this.#admin.database && name === this.#admin.name) return this.#admin;
    const row = this.#database
      .prepare('SELECT * FROM users WHERE database = ? AND name = ?')
      .get(database, name) as UserRow | undefined; // the table above
    return row === undefined ? null : known(row);
  }

  /** For a name that nobody has: the conversation takes the same steps, and fails at its end. */
  nobody(): KnownUser {
    const verifier = scramVerifier('', Buffer.from(this.#randomBytes(16)), ITERATIONS);
    return { name: '', database: '', admin: false, reader: true, guest: true, verifier };
  }

  list(database: string | null): readonly User[] {
    const rows = this.#database
      .prepare('SELECT * FROM users WHERE ?1 IS NULL OR database = ?1 ORDER BY database, name')
      .all(database) as unknown as readonly UserRow[]; // the table above
    return rows.map(known);
  }

  /** Throws UserAlreadyExists. */
  create(database: string, name: string, password: string, reader: boolean): void {
    if (this.find(database, name) !== null)
      throw new DocumentError('UserAlreadyExists', `User "${name}@${database}" already exists`);
    this.#put(database, name, password, reader);
  }

  /** Throws UserNotFound. */
  update(database: string, name: string, password: string, reader: boolean): void {
    if (this.find(database, name) === null) throw notFound(database, name);
    this.#put(database, name, password, reader);
  }

  /** Throws UserNotFound. */
  drop(database: string, name: string): void {
    const { changes } = this.#database
      .prepare('DELETE FROM users WHERE database = ? AND name = ?')
      .run(database, name);
    if (Number(changes) === 0) throw notFound(database, name);
  }

  /** Names of those that were dropped. */
  dropAll(database: string): readonly string[] {
    const names = this.list(database).map(({ name }) => name);
    this.#database.prepare('DELETE FROM users WHERE database = ?').run(database);
    return names;
  }

  close(): void {
    this.#database.close();
  }

  #put(database: string, name: string, password: string, reader: boolean): void {
    const salt = Buffer.from(this.#randomBytes(16));
    const { iterations, storedKey, serverKey } = scramVerifier(password, salt);
    this.#database
      .prepare('INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(name, database, salt, iterations, storedKey, serverKey, reader ? 1 : 0);
  }
}

const notFound = (database: string, name: string): DocumentError =>
  new DocumentError('UserNotFound', `User '${name}@${database}' not found`);

const known = (row: UserRow): KnownUser => ({
  ...{ name: row.name, database: row.database, admin: false },
  ...{ reader: row.reader === 1, guest: row.name !== row.database },
  verifier: {
    salt: Buffer.from(row.salt),
    iterations: row.iterations,
    storedKey: Buffer.from(row.stored_key),
    serverKey: Buffer.from(row.server_key),
  },
});
