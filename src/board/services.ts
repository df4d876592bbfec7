import { openAuditLog } from '../actors/audit/audit-log.ts';
import { createScopeHub } from '../actors/console/scope-hub.ts';
import { PermitOwner } from '../actors/storage/permits.ts';
import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../runtime/spec.ts';
import { component, remote } from '../runtime/specs.ts';
import { entryUrl } from './entry-url.ts';
import { BACKOFF } from './restarts.ts';
import type { Shelf } from './shelf.ts';

/** The tamper-evident trail; durable before an append resolves. */
export const audit = (shelf: Shelf): ChildSpec =>
  component(
    'audit',
    async ({ host, log }) => {
      const opened = await openAuditLog(shelf.take('folder').audit, host, log);
      return { api: opened, stop: () => opened.close() };
    },
    { backoff: BACKOFF },
  );

function startPermits({ system, host }: ComponentContext): ComponentService {
  const owner = new PermitOwner({
    host,
    perKey: LIMITS.poolConnections,
    total: LIMITS.serverConnections,
    waiters: LIMITS.poolWaiters,
    recall: (edge, key, urgency) => {
      system.slot(`board/edges/${edge}/uplink`).send({ type: 'PERMIT_RECALL', key, urgency });
    },
  });
  return {
    api: owner,
    handle: (message) => {
      const edge = String(message.owner);
      const key = String(message.key);
      if (message.type === 'PERMIT_LEASE')
        return owner.lease(edge, key, Number(message.wanted), Number(message.waitMs));
      if (message.type === 'PERMIT_RELEASE') return owner.release(edge, key, Number(message.count));
      throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `board/permits for ${message.type}` });
    },
  };
}

/** One owner of the server connections that all edge workers share. */
export const permits = (): ChildSpec => component('permits', startPermits, { backoff: BACKOFF });

/** MagScope: watches the tree while somebody looks. */
export const scope = (): ChildSpec =>
  component(
    'scope',
    ({ system }) => {
      const hub = createScopeHub({ system, send: (path, message) => system.slot(path).send(message) });
      return { api: hub, handle: (message) => hub.handle(message), stop: async () => hub.close() };
    },
    { backoff: BACKOFF },
  );

/** The change feed, in a worker of its own: SQLite's reads block the thread they run on. */
export const feed = (shelf: Shelf): ChildSpec =>
  remote('feed', {
    where: 'worker',
    module: entryUrl('src/actors/feed/index'),
    pool: 'core',
    input: { dataDir: shelf.take('folder').root },
    backoff: BACKOFF,
  });
