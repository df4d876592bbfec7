import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drainPlan, type EdgeInput } from '../actors/edge/input.ts';
import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { ChildSpec } from '../runtime/spec.ts';
import { remote, supervisor } from '../runtime/specs.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { EDGES, type EdgeNews, edgeMounts, edgeName } from './edge-news.ts';
import { entryUrl } from './entry-url.ts';
import { BACKOFF, BRANCH_INTENSITY } from './restarts.ts';
import type { Shelf } from './shelf.ts';

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
    shutdown: drainPlan(config.drainSeconds).worker,
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
    // They start together, and drain together: in turn, each would have to wait for the requests of the one before.
    strategy: 'dynamic',
    intensity: BRANCH_INTENSITY,
    backoff: BACKOFF,
    children: Array.from({ length: count }, (_, index) => edge(shelf, index, count)),
  });
}

/** What a dead edge worker held returns; a new one hears what it may have missed. */
export function mindEdges(system: ActorSystem, news: EdgeNews): () => void {
  const release = (path: string): void => {
    const gone = { type: 'EDGE_GONE', owner: edgeName(path) };
    // To their slots: one that is being restarted hears it when it is back.
    system.slot('board/storage/owner').send(gone);
    system.slot('board/permits').send(gone);
    system.slot('board/feed').send({ type: 'FOLLOWER_GONE', path });
  };
  return system.onLifecycle((event: LifecycleEvent) => {
    const isEdge = event.path.startsWith(EDGES) && !edgeName(event.path).includes('/');
    if (isEdge && (event.type === 'failed' || event.type === 'stopped')) release(event.path);
    if (isEdge && event.type === 'ready') news.catchUp(event.path);
    if (event.path === 'board/feed' && event.type === 'ready') {
      for (const mount of edgeMounts(system)) system.slot(`${mount}/uplink`).send({ type: 'FEED_UP' });
    }
  });
}
