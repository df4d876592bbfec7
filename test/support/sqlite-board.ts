import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecuteContext } from '../../src/actors/storage/engine.ts';
import { openSqliteEngine } from '../../src/actors/storage/sqlite/sqlite-engine.ts';
import { SqliteProvider } from '../../src/actors/storage/sqlite/sqlite-provider.ts';
import { SocketStorageClient } from '../../src/actors/storage/storage-process/socket-client.ts';
import { storageProcessSpawner } from '../../src/actors/storage/storage-process/spawn-storage-process.ts';
import {
  StorageProcesses,
  type StorageProcessesOptions,
} from '../../src/actors/storage/storage-process/storage-processes.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

const entry = fileURLToPath(new URL('../../worker/storage-process.ts', import.meta.url));

/** SQLite's part of a board, in one thread: provider, storage processes and engines over a folder of its own. */
export class SqliteBoard {
  readonly host = nodeHost();
  readonly dataDir = mkdtempSync(join(tmpdir(), 'mag-sqlite-'));
  readonly provider = new SqliteProvider(this.dataDir);
  readonly processes: StorageProcesses;
  readonly storage: SocketStorageClient;
  readonly #engines: Awaited<ReturnType<typeof openSqliteEngine>>[] = [];

  constructor(options: Partial<StorageProcessesOptions> = {}) {
    this.processes = new StorageProcesses({
      host: this.host,
      log: silentLog,
      runFolder: join(this.dataDir, 'run'),
      spawn: storageProcessSpawner(this.host, entry),
      ...options,
    });
    this.storage = this.client('edge-1');
  }

  /** A storage client that leases as this edge worker. */
  client(owner: string): SocketStorageClient {
    return new SocketStorageClient(this.host, {
      lease: (request) => this.processes.lease(owner, request),
      release: (id) => this.processes.release(id),
      cancel: (id) => this.processes.cancel(id),
    });
  }

  async file(ref = 'demo'): Promise<string> {
    const connection = await this.provider.provision(ref);
    if (connection.engine !== 'sqlite') throw new Error('not a SQLite project');
    return connection.file;
  }

  async engine(ref = 'demo'): ReturnType<typeof openSqliteEngine> {
    const { host, storage } = this;
    const engine = await openSqliteEngine({ file: await this.file(ref), host, log: silentLog, storage });
    this.#engines.push(engine);
    return engine;
  }

  context(options: { ms?: number; signal?: AbortSignal; ref?: string } = {}): ExecuteContext {
    return {
      principal: { role: 'service_role', claims: {} },
      tenant: options.ref ?? 'demo',
      deadline: this.host.now() + (options.ms ?? 10_000),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
  }

  async close(): Promise<void> {
    for (const engine of this.#engines) await engine.close();
    this.storage.close();
    await this.processes.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
