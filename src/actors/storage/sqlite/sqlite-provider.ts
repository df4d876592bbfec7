import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MagError } from '../../../errors.ts';
import type { Connection, EngineAvailability } from '../../../protocol/project.ts';
import type { EngineProvider } from '../engine.ts';
import { createDatabase } from './connection.ts';
import { toPublicError } from './sqlite-errors.ts';

/** Project references are made by the board; anything else must not become a path. */
const REF = /^[a-z0-9][a-z0-9_-]{0,62}$/i;

const DATABASE = 'data.sqlite';

/** Where SQLite databases come from: `<dataDir>/projects/<ref>/data.sqlite`. */
export class SqliteProvider implements EngineProvider {
  readonly kind = 'sqlite';
  readonly #projects: string;

  /** @param dataDir the board's data folder. */
  constructor(dataDir: string) {
    this.#projects = join(dataDir, 'projects');
  }

  availability(): Promise<EngineAvailability> {
    // Without the authorizer a tenant's SQL could attach any file of the machine.
    const why =
      'setAuthorizer' in DatabaseSync.prototype
        ? null
        : 'this Node has no SQLite authorizer; 24.10 or later has';
    return Promise.resolve({
      engine: 'sqlite',
      available: why === null,
      provider: `node:sqlite (SQLite ${process.versions.sqlite ?? 'unknown'})`,
      why,
      feed: { available: why === null, why },
    });
  }

  async provision(ref: string): Promise<Connection> {
    const folder = this.#folder(ref);
    await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw new MagError(
        'MAG_ENGINE_UNAVAILABLE',
        { engine: 'sqlite', why: String(error) },
        { cause: error },
      );
    });
    try {
      createDatabase(join(folder, DATABASE));
    } catch (error) {
      const { message } = toPublicError(error);
      throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'sqlite', why: message }, { cause: error });
    }
    return { engine: 'sqlite', file: join(folder, DATABASE) };
  }

  async drop(ref: string): Promise<void> {
    await rm(this.#folder(ref), { recursive: true, force: true });
  }

  async connect(ref: string): Promise<Connection> {
    const file = join(this.#folder(ref), DATABASE);
    if (!existsSync(file))
      throw new MagError('MAG_ENGINE_UNAVAILABLE', { engine: 'sqlite', why: `${file} is missing` });
    return { engine: 'sqlite', file };
  }

  async reclaim(live: ReadonlySet<string>): Promise<readonly string[]> {
    if (!existsSync(this.#projects)) return [];
    const folders = await readdir(this.#projects, { withFileTypes: true });
    const removed: string[] = [];
    for (const { name } of folders) {
      // A folder without our database in it is somebody else's.
      if (live.has(name) || !existsSync(join(this.#projects, name, DATABASE))) continue;
      await rm(join(this.#projects, name), { recursive: true, force: true });
      removed.push(name);
    }
    return removed;
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #folder(ref: string): string {
    if (!REF.test(ref)) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
    return join(this.#projects, ref);
  }
}
