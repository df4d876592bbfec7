import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { type Log, silentLog } from '../../src/runtime/log.ts';

interface ServerProcess<Address> {
  start(): Promise<Address>;
  stop(): Promise<void>;
}

/** What every managed server is made with. */
export interface ServerParts {
  readonly dataFolder: string;
  readonly secretsFolder: string;
  readonly children: ManagedChildren;
  readonly host: Host;
  readonly log: Log;
}

/** A database server as the board would run it, one incarnation after another on one temporary folder. */
export class ServerIncarnations<Server extends ServerProcess<Address>, Address> {
  readonly folder: string;
  readonly children: ManagedChildren;
  readonly host: Host = nodeHost();
  readonly #make: () => Server;
  #server: Server;
  #starting: Promise<Address>;

  private constructor(prefix: string, make: (parts: ServerParts) => Server) {
    this.folder = mkdtempSync(join(tmpdir(), prefix));
    this.children = new ManagedChildren(join(this.folder, 'run', 'children.json'));
    const { folder, children, host } = this;
    const folders = { dataFolder: folder, secretsFolder: join(folder, 'secrets') };
    this.#make = () => make({ ...folders, children, host, log: silentLog });
    this.#server = this.#make();
    this.#starting = this.#server.start();
  }

  static async start<Server extends ServerProcess<Address>, Address>(
    prefix: string,
    make: (parts: ServerParts) => Server,
  ): Promise<ServerIncarnations<Server, Address>> {
    const started = new ServerIncarnations<Server, Address>(prefix, make);
    try {
      await started.#starting;
    } catch (error) {
      started.#remove();
      throw error;
    }
    return started;
  }

  /** The incarnation of now. */
  get server(): Server {
    return this.#server;
  }

  readonly address = (): Promise<Address> => this.#starting;

  /** Starts a new incarnation after the last one ended. */
  readonly restart = (): Promise<Address> => {
    this.#server = this.#make();
    this.#starting = this.#server.start();
    return this.#starting;
  };

  async stop(): Promise<void> {
    await this.#server.stop();
    this.#remove();
  }

  #remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
