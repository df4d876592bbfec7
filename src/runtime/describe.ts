import type { ActorNode } from '../protocol/actor-node.ts';
import type { Core } from './core.ts';
import type { Cell } from './kernel/cell.ts';
import { kindOf } from './kernel/kind.ts';

function statusOf(cell: Cell): ActorNode['status'] {
  return cell.paused && cell.status === 'running' ? 'paused' : cell.status;
}

/** The node of one incarnation with all that is below it, remote subtrees included. */
export async function describeCell(core: Core, cell: Cell): Promise<ActorNode> {
  const children = (await cell.actor?.children?.()) ?? [];
  const name = cell.path.slice(cell.path.lastIndexOf('/') + 1);
  const node: ActorNode = {
    path: cell.path,
    name,
    kind: kindOf(cell.spec),
    state: cell.actor?.state() ?? cell.status,
    status: statusOf(cell),
    restarts: cell.restarts,
    mailbox: { depth: cell.mailbox.depth, capacity: cell.mailbox.capacity, dropped: cell.mailbox.dropped },
    placement: { thread: core.node, process: core.pid, node: core.node },
    since: new Date(core.host.wallTime() - core.host.now() + cell.startedAt).toISOString(),
    lastError: cell.lastError,
    handled: cell.handled,
    incarnation: cell.incarnation,
    children,
  };
  return { ...node, ...(await cell.actor?.overlay?.()) };
}
