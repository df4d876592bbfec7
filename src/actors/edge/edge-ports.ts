import type { BoardStatus } from '../../protocol/board-status.ts';
import type { ComponentContext, Message } from '../../runtime/spec.ts';
import { createScopeClient } from '../console/scope-client.ts';
import { createFeedClient, type FeedClientService } from '../feed/feed-client.ts';
import { isFeedPush } from '../feed/feed-messages.ts';
import type { EdgeInput } from './input.ts';
import type { EdgePorts, RelayMessage } from './ports.ts';
import type { StorageSessions } from './storage-sessions.ts';
import type { Uplink } from './uplink.ts';

const SCOPE = 'board/scope';
const FEED = 'board/feed';

/** The ports, and what has to be closed when this incarnation ends. */
export interface OpenPorts {
  readonly ports: EdgePorts;
  close(): void;
}

function openFeed(context: ComponentContext, uplink: Uplink): FeedClientService {
  const { system, host, log } = context;
  const feed = createFeedClient({ host, log, hub: system.slot(FEED), path: uplink.path });
  const push = (message: Message): void => {
    if (isFeedPush(message)) feed.handle(message);
  };
  uplink.on('FEED_CHANGES', push);
  uplink.on('FEED_INTERRUPTED', push);
  uplink.on('FEED_UP', () => feed.reconnect());
  return feed;
}

/** Broadcasts go straight from worker to worker, to every edge but this one. */
function openRelay(context: ComponentContext, uplink: Uplink): EdgePorts['relay'] {
  const own = uplink.path;
  const listeners: ((message: RelayMessage) => void)[] = [];
  uplink.on('RELAY', (message) => {
    const relayed = message.message as RelayMessage; // sent by another edge's publish, below
    for (const listener of listeners) listener(relayed);
  });
  return {
    publish: (message) => {
      for (const mount of context.system.mounts()) {
        if (!mount.startsWith('board/edges/')) continue;
        const path = `${mount}/uplink`;
        if (path !== own) uplink.send(path, { type: 'RELAY', message });
      }
    },
    onMessage: (listener) => {
      listeners.push(listener);
    },
  };
}

/** Everything that the gate and the realtime gateway of this worker are built from. */
export async function openPorts(context: ComponentContext, input: EdgeInput): Promise<OpenPorts> {
  const { system, host, log } = context;
  const uplink = system.service<Uplink>('uplink');
  const storage = system.service<StorageSessions>('sessions');
  const feed = openFeed(context, uplink);
  let status: BoardStatus | null = null;
  uplink.on('STATUS', (message) => {
    status = message.status as BoardStatus; // pushed by the main thread's board status
  });
  const first = await uplink.request('STATUS', {});
  const scope = createScopeClient({
    host,
    log,
    path: uplink.path,
    ask: (message) => uplink.ask(SCOPE, message),
    send: (message) => uplink.send(SCOPE, message),
    onMessage: (listener) => uplink.on('SCOPE_FRAME', listener),
  });
  const ports: EdgePorts = {
    host,
    log,
    name: input.name,
    admin: uplink,
    directory: storage.directory,
    sessions: storage.sessions,
    feed,
    // What was pushed while we asked is newer than the answer.
    status: () => status ?? first,
    scope,
    relay: openRelay(context, uplink),
  };
  return { ports, close: () => feed.close() };
}
