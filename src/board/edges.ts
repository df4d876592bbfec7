import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EdgeInput } from '../actors/edge/input.ts';
import type { PermitOwner } from '../actors/storage/permits.ts';
import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { ChildSpec } from '../runtime/spec.ts';
import { remote, supervisor } from '../runtime/specs.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { entryUrl } from './entry-url.ts';
import { BACKOFF, INTENSITY } from './restarts.ts';
import type { Shelf } from './shelf.ts';
import type { StorageOwner } from './storage.ts';

const EDGES = 'board/edges/';

/** Where SO_REUSEPORT does not balance, one worker has the port for itself. */
const balances = process.platform === 'linux';

function edge(shelf: Shelf, index: number, edges: number): ChildSpec {
  const { config } = shelf;
  const name = `edge-${index + 1}`;
  const input: EdgeInput = {
    name,
    host: config.host,
    port: shelf.take('port'),
    edges,
    domain: config.domain,
    drainSeconds: config.drainSeconds,
    uiDirectory: fileURLToPath(uiDirectory()),
  };
  return remote(name, {
    where: 'worker',
    module: entryUrl('src/actors/edge/index'),
    pool: 'edge',
    spare: true,
    input,
    backoff: BACKOFF,
    shutdown: config.drainSeconds * 1_000,
  });
}

/** The built console: beside the sources in a checkout, one folder further up from the package's dist. */
function uiDirectory(): URL {
  const checkout = new URL('../../ui/dist/', import.meta.url);
  return existsSync(checkout) ? checkout : new URL('../../../ui/dist/', import.meta.url);
}

/** The edge workers, all on one port. */
export function edges(shelf: Shelf): ChildSpec {
  const count = balances ? shelf.config.edgeWorkers : 1;
  return supervisor('edges', {
    intensity: INTENSITY,
    backoff: BACKOFF,
    children: Array.from({ length: count }, (_, index) => edge(shelf, index, count)),
  });
}

/** A dead edge worker's leases, permits and feed follows return; a new one hears the board's state. */
export function mindEdges(system: ActorSystem): () => void {
  const release = (path: string): void => {
    const name = path.slice(EDGES.length);
    system.service<StorageOwner>('owner').releaseOwner(name);
    system.service<PermitOwner>('permits').releaseOwner(name);
    system.slot('board/feed').send({ type: 'FOLLOWER_GONE', path });
  };
  return system.onLifecycle((event: LifecycleEvent) => {
    const isEdge = event.path.startsWith(EDGES) && !event.path.slice(EDGES.length).includes('/');
    if (isEdge && (event.type === 'failed' || event.type === 'stopped')) release(event.path);
    if (event.path === 'board/feed' && event.type === 'ready') {
      for (const mount of system.mounts()) {
        if (mount.startsWith(EDGES)) system.slot(`${mount}/uplink`).send({ type: 'FEED_UP' });
      }
    }
  });
}
