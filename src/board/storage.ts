import { fileURLToPath } from 'node:url';
import type { ManagedChildren } from '../actors/storage/managed-children.ts';
import { storageProcessSpawner } from '../actors/storage/storage-process/spawn-storage-process.ts';
import {
  StorageProcesses,
  type StorageProcessInfo,
} from '../actors/storage/storage-process/storage-processes.ts';
import type { LeaseRequest } from '../actors/storage/storage-process/storage-request.ts';
import { describeError, MagError } from '../errors.ts';
import type { HostProcess } from '../runtime/host.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../runtime/spec.ts';
import { component, supervisor } from '../runtime/specs.ts';
import { entryUrl } from './entry-url.ts';
import { BACKOFF, BRANCH_INTENSITY } from './restarts.ts';
import type { Shelf } from './shelf.ts';

const STORAGE = 'board/storage';

/** Shows each storage process as an actor of its own: crashing the actor kills the process. */
class ProcessNodes {
  readonly #context: ComponentContext;
  readonly #children: ManagedChildren;
  readonly #processes = new Map<number, HostProcess>();

  constructor(context: ComponentContext, children: ManagedChildren) {
    this.#context = context;
    this.#children = children;
  }

  spawned(process: HostProcess): HostProcess {
    this.#processes.set(process.pid, process);
    // A busy one outlives a killed board, and holds its project's write lock: the next boot ends it.
    const { pid } = process;
    this.#children.record({
      pid,
      kind: 'storage',
      command: globalThis.process.execPath,
      port: null,
      dataDir: null,
    });
    return process;
  }

  show(info: StorageProcessInfo): void {
    const process = this.#processes.get(info.pid);
    const spec = component(
      `process-${info.id}`,
      () => ({ process: () => info.pid, stop: async () => process?.kill('SIGKILL') }),
      {
        restart: 'temporary',
      },
    );
    this.#context.system.startChild(STORAGE, spec).catch((error: unknown) => this.#warn(error));
  }

  hide(info: StorageProcessInfo): void {
    this.#processes.delete(info.pid);
    this.#children.forget(info.pid);
    this.#context.system
      .stopChild(STORAGE, `process-${info.id}`)
      .catch((error: unknown) => this.#warn(error));
  }

  /** The tree may be stopping already: the node goes with it. */
  #warn(error: unknown): void {
    this.#context.log.debug({ error: describeError(error) }, 'a storage process could not be shown');
  }
}

function startOwner(context: ComponentContext, shelf: Shelf, nextId: () => number): ComponentService {
  const { host, log } = context;
  const nodes = new ProcessNodes(context, shelf.take('children'));
  const spawn = storageProcessSpawner(host, fileURLToPath(entryUrl('worker/storage-process')));
  const owner = new StorageProcesses({
    host,
    log,
    runFolder: shelf.take('folder').run,
    nextId,
    spawn: (socket) => nodes.spawned(spawn(socket)),
    onSpawn: (info) => nodes.show(info),
    onExit: (info) => nodes.hide(info),
  });
  return {
    handle: (message) => {
      switch (message.type) {
        case 'STORAGE_LEASE':
          return owner.lease(String(message.owner), message.request as LeaseRequest); // sent by edge/storage-sessions.ts
        case 'STORAGE_RELEASE':
          return owner.release(Number(message.id));
        case 'STORAGE_CANCEL':
          return owner.cancel(Number(message.id));
        case 'EDGE_GONE':
          return owner.releaseOwner(String(message.owner));
        default:
          throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `${STORAGE}/owner for ${message.type}` });
      }
    },
    stop: () => owner.stop(),
  };
}

/** The owner of the storage processes, and each process while it lives. */
export function storage(shelf: Shelf): ChildSpec {
  // Over all incarnations: what an edge worker says of a lease of the last one must not mean one of the next.
  let id = 0;
  const nextId = (): number => {
    id += 1;
    return id;
  };
  return supervisor('storage', {
    intensity: BRANCH_INTENSITY,
    backoff: BACKOFF,
    children: [component('owner', (context) => startOwner(context, shelf, nextId), { backoff: BACKOFF })],
  });
}
