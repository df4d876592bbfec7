import { type AuditLog, openAuditLog } from '../actors/audit/audit-log.ts';
import type { AuditEvent } from '../actors/audit/entry.ts';
import { createScopeHub } from '../actors/console/scope-hub.ts';
import { MagError } from '../errors.ts';
import type { ChildSpec } from '../runtime/spec.ts';
import { component, remote } from '../runtime/specs.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { entryUrl } from './entry-url.ts';
import { BACKOFF } from './restarts.ts';
import type { Shelf } from './shelf.ts';

/** The tamper-evident trail; durable before an append resolves. */
export const audit = (shelf: Shelf): ChildSpec =>
  component(
    'audit',
    async ({ host, log }) => {
      const opened = await openAuditLog(shelf.take('folder').audit, host, log);
      return {
        api: opened,
        handle: (message) => {
          if (message.type === 'AUDIT_APPEND') return opened.append(message.event as AuditEvent); // from auditPort below
          throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `board/audit for ${message.type}` });
        },
        stop: () => opened.close(),
      };
    },
    { backoff: BACKOFF },
  );

/** Appends through whichever incarnation of the log is up; while it is being restarted, the entry waits for it. */
export const auditPort = (system: ActorSystem): Pick<AuditLog, 'append'> => ({
  append: (event) => system.slot('board/audit').ask({ type: 'AUDIT_APPEND', event }),
});

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
