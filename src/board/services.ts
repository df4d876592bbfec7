import { type AuditLog, openAuditLog } from '../actors/audit/audit-log.ts';
import type { AuditEvent } from '../actors/audit/entry.ts';
import { createScopeHub } from '../actors/console/scope-hub.ts';
import { PermitOwner, type PermitReport } from '../actors/storage/permits.ts';
import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { ChildSpec, ComponentContext, ComponentService, Message } from '../runtime/spec.ts';
import { component, remote } from '../runtime/specs.ts';
import type { ActorSystem } from '../runtime/system.ts';
import { EDGES, edgeMounts, edgeName } from './edge-news.ts';
import { entryUrl } from './entry-url.ts';
import { BACKOFF } from './restarts.ts';
import type { Shelf } from './shelf.ts';

/** How long a restarted owner waits for what an edge worker says it holds: one that hangs holds up nobody else. */
const REPORT_MS = 1_000;

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

/** What an edge worker's permit client reports (edge/storage-sessions.ts). */
type Report = PermitReport & { readonly tag: string };

/** Where this owner comes after a crashed one, the workers still hold what that one gave them. */
async function adoptHeld(
  { system, log }: ComponentContext,
  owner: PermitOwner,
): Promise<Map<string, Report>> {
  const reports = new Map<string, Report>();
  const ask = async (mount: string): Promise<void> => {
    const edge = edgeName(mount);
    try {
      const report = await system
        .slot(`${mount}/uplink`)
        .ask<Report>({ type: 'PERMITS_HELD' }, { timeout: REPORT_MS });
      for (const [key, count] of Object.entries(report.held)) owner.adopt(edge, key, count);
      reports.set(edge, report);
    } catch (error) {
      log.warn({ edge, error: describeError(error) }, 'an edge worker did not say which permits it holds');
    }
  };
  await Promise.all(edgeMounts(system).map(ask));
  return reports;
}

async function startPermits(context: ComponentContext): Promise<ComponentService> {
  const { system, host } = context;
  const owner = new PermitOwner({
    host,
    perKey: LIMITS.poolConnections,
    total: LIMITS.serverConnections,
    waiters: LIMITS.poolWaiters,
    recall: (edge, key, urgency) => {
      system.slot(`${EDGES}${edge}/uplink`).send({ type: 'PERMIT_RECALL', key, urgency });
    },
  });
  const reports = await adoptHeld(context, owner);
  const release = (edge: string, { key, count, tag, serial }: Message): void => {
    const report = reports.get(edge);
    // It was on its way when the report was made, which takes it into account.
    if (report?.tag === tag && Number(serial) <= (report?.serial ?? 0)) return;
    owner.release(edge, String(key), Number(count));
  };
  return {
    api: owner,
    handle: (message) => {
      const edge = String(message.owner);
      if (message.type === 'PERMIT_LEASE')
        return owner.lease(edge, String(message.key), Number(message.wanted), Number(message.waitMs));
      if (message.type === 'PERMIT_RELEASE') return release(edge, message);
      if (message.type === 'EDGE_GONE') return owner.releaseOwner(edge);
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
