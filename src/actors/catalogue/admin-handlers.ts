import { MagError } from '../../errors.ts';
import type { AdminRequests, AdminRequestType } from '../../protocol/admin.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { AdminKey } from '../psu/admin-key.ts';
import type { ConsoleSessions } from '../psu/console-session.ts';
import type { Catalogue } from './catalogue.ts';

/** Answers to admin requests; what a handler throws is what the edge worker's request rejects with. */
export type AdminHandlers<Types extends AdminRequestType = AdminRequestType> = {
  readonly [Type in Types]: (
    request: AdminRequests[Type]['request'],
  ) => Promise<AdminRequests[Type]['reply']>;
};

export interface AdminHandlerDeps {
  readonly catalogue: Catalogue;
  readonly adminKey: AdminKey;
  readonly sessions: ConsoleSessions;
  readonly audit: Pick<AuditLog, 'append'>;
}

/** Everything of the admin protocol that is about projects and credentials; the board adds actors and status. */
export function adminHandlers(
  deps: AdminHandlerDeps,
): AdminHandlers<Exclude<AdminRequestType, 'ACTORS' | 'ACTOR_COMMAND' | 'STATUS' | 'METRICS'>> {
  const { catalogue, sessions, adminKey } = deps;
  return {
    ADMIN_VERIFY: async ({ credential }) => sessions.verifyToken(credential) || adminKey.verify(credential),
    SESSION_OPEN: (request) => openSession(request, deps),
    SESSION_CLOSE: async ({ token }) => {
      sessions.closeToken(token);
      return null;
    },
    PROJECT_CREATE: ({ name, engine, actor }) => catalogue.create(name, engine, actor),
    PROJECT_LIST: async () => catalogue.list(),
    PROJECT_GET: async ({ ref }) => catalogue.get(ref),
    PROJECT_KEYS: ({ ref, actor }) => catalogue.keys(ref, actor),
    PROJECT_ROTATE: ({ ref, actor }) => catalogue.rotate(ref, actor),
    PROJECT_TOKEN: ({ ref, token, actor }) => catalogue.token(ref, token, actor),
    CREDENTIAL_LIST: async ({ ref }) => catalogue.credentials(ref),
    CREDENTIAL_CHANGE: ({ ref, change, actor }) => catalogue.credential(ref, change, actor),
    PROJECT_SETTINGS: ({ ref, settings, merge, actor }) => catalogue.settings(ref, settings, actor, merge),
    PROJECT_DELETE: async ({ ref, actor }) => {
      await catalogue.remove(ref, actor);
      return null;
    },
    PROJECT_RESOLVE: ({ ref, refused }) => catalogue.resolve(ref, refused),
    ENGINES: () => catalogue.engines(),
  };
}

type SessionRequest = AdminRequests['SESSION_OPEN']['request'];

async function openSession(
  request: SessionRequest,
  { sessions, adminKey, audit }: AdminHandlerDeps,
): Promise<AdminRequests['SESSION_OPEN']['reply']> {
  const reason = 'ticket' in request ? 'login ticket' : 'admin key';
  const opened = 'ticket' in request ? sessions.redeemTicket(request.ticket) : adminKey.verify(request.key);
  const told = { actor: 'console', action: 'session.open', target: 'console' };
  if (opened) {
    await audit.append({ ...told, reason, outcome: 'ok' });
    return sessions.issueToken();
  }
  const refused = sessions.refused();
  if (refused !== null) {
    const more = refused > 1 ? `, and ${refused - 1} more before` : '';
    await audit.append({ ...told, reason: `${reason}${more}`, outcome: 'refused' });
  }
  throw new MagError('MAG_ADMIN_KEY_INVALID');
}
