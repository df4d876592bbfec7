import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { DocumentDatabase, removeFiles } from './document-database.ts';
import { DocumentError } from './document-error.ts';

const NAME = /^[A-Za-z0-9_-]{1,63}$/;
const SUFFIX = '.db';

/** The databases of a folder, opened on first use; beyond the bound the least recently used idle one closes. */
export class Databases {
  readonly #folder: string;
  /** Least recently used first. */
  readonly #open = new Map<string, DocumentDatabase>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Whether the database was ever written to. */
  exists(name: string): boolean {
    return this.#open.has(name) || existsSync(this.#path(name));
  }

  /** Opens it, makes it where it is not there. Throws InvalidNamespace. */
  open(name: string): DocumentDatabase {
    const known = this.#open.get(name);
    const database = known ?? new DocumentDatabase(name, this.#path(name));
    this.#open.delete(name);
    this.#open.set(name, database);
    if (known === undefined) this.#evict();
    return database;
  }

  names(): readonly string[] {
    return readdirSync(this.#folder)
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length));
  }

  drop(name: string): void {
    const known = this.#open.get(name);
    this.#open.delete(name);
    if (known !== undefined) known.remove();
    else removeFiles(this.#path(name));
  }

  close(): void {
    for (const database of this.#open.values()) database.close();
    this.#open.clear();
  }

  #path(name: string): string {
    if (!NAME.test(name))
      throw new DocumentError('InvalidNamespace', `Invalid database name: ${name.slice(0, 64)}`);
    return join(this.#folder, name + SUFFIX);
  }

  #evict(): void {
    for (const [name, database] of this.#open) {
      if (this.#open.size <= DOCUMENT_LIMITS.openDatabases) return;
      if (!database.idle) continue;
      database.close();
      this.#open.delete(name);
    }
  }
}
