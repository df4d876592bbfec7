import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type DocumentServerAddress,
  DocumentServerProcess,
} from '../../src/actors/storage/documents/server-process.ts';
import type { Engine, ExecuteContext } from '../../src/actors/storage/engine.ts';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { openMongodbEngine } from '../../src/actors/storage/mongodb/engine.ts';
import { MongodbProvider } from '../../src/actors/storage/mongodb/provider.ts';
import type { MongodbConnection } from '../../src/actors/storage/mongodb/session.ts';
import { localPermits } from '../../src/actors/storage/permits.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

const entry = fileURLToPath(new URL('../../worker/document-server.ts', import.meta.url));

/** MongoDB's part of a board on the embedded document server, in a process of its own, over a folder of its own. */
export class DocumentBoard {
  readonly host = nodeHost();
  readonly dataFolder = mkdtempSync(join(tmpdir(), 'mag-documents-'));
  readonly provider: MongodbProvider;
  readonly #children = new ManagedChildren(join(this.dataFolder, 'run', 'children.json'));
  readonly #engines: Engine[] = [];
  server: DocumentServerProcess;
  readonly #stuckMs: number | undefined;
  #address: Promise<DocumentServerAddress> | null = null;

  /** @param stuckMs how long the server may be silent. */
  constructor(stuckMs?: number) {
    this.#stuckMs = stuckMs;
    this.server = this.#process();
    const address = (): Promise<DocumentServerAddress> => this.address();
    this.provider = new MongodbProvider({
      source: { kind: 'embedded', provider: 'embedded document server', address },
      masterKey: Buffer.alloc(32, 7),
      log: silentLog,
    });
  }

  address(): Promise<DocumentServerAddress> {
    this.#address ??= this.server.start();
    return this.#address;
  }

  /** Kills the process and starts another one over the same files. */
  async restart(): Promise<void> {
    this.kill();
    await this.server.exited;
    this.server = this.#process();
    this.#address = null;
    await this.address();
  }

  /** One that has ended already needs no killing. */
  kill(): void {
    try {
      process.kill(this.server.pid ?? 0, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }

  async connection(ref = 'demo'): Promise<MongodbConnection> {
    const connection = await this.provider.provision(ref);
    if (connection.engine !== 'mongodb') throw new Error('not a document project');
    return connection;
  }

  async engine(ref = 'demo'): Promise<Engine> {
    const { host } = this;
    const permits = localPermits({ perKey: 10, total: 80, waiters: 100, host });
    const connection = await this.connection(ref);
    const engine = openMongodbEngine({ connection, ref, host, log: silentLog, permits });
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
    await this.provider.stop();
    await this.server.stop();
    rmSync(this.dataFolder, { recursive: true, force: true });
  }

  #process(): DocumentServerProcess {
    return new DocumentServerProcess({
      dataFolder: this.dataFolder,
      masterKey: Buffer.alloc(32, 7),
      entry,
      children: this.#children,
      faultInjection: true,
      host: this.host,
      log: silentLog,
      ...(this.#stuckMs === undefined ? {} : { stuckMs: this.#stuckMs }),
    });
  }
}
