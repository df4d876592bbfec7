import type { FastifyRequest } from 'fastify';
import type { AdminPort } from '../../protocol/admin.ts';
import type { CredentialRequest } from '../../protocol/credentials.ts';
import type { AdminActor } from './admin-auth.ts';
import { credentialBody } from './admin-schemas.ts';
import type { App } from './fastify-app.ts';

interface RefParams {
  readonly ref: string;
}

interface IdParams extends RefParams {
  readonly id: string;
}

/** Users of a project's database for tools that speak its native protocol. Behind AdminAuth, as all of the admin API. */
export function credentialRoutes(
  app: App,
  admin: AdminPort,
  actorOf: (request: FastifyRequest) => AdminActor,
): void {
  app.get<{ Params: RefParams }>('/projects/:ref/credentials', ({ params }) =>
    admin.request('CREDENTIAL_LIST', { ref: params.ref }),
  );
  app.post<{ Params: RefParams; Body: CredentialRequest }>(
    '/projects/:ref/credentials',
    { schema: { body: credentialBody } },
    async (request, reply) => {
      reply.status(201);
      const { ref } = request.params;
      const change = { create: request.body };
      return admin.request('CREDENTIAL_CHANGE', { ref, change, actor: actorOf(request) });
    },
  );
  app.post<{ Params: IdParams }>('/projects/:ref/credentials/:id/rotate', (request) => {
    const { ref, id } = request.params;
    return admin.request('CREDENTIAL_CHANGE', { ref, change: { rotate: id }, actor: actorOf(request) });
  });
  app.delete<{ Params: IdParams }>('/projects/:ref/credentials/:id', async (request, reply) => {
    const { ref, id } = request.params;
    await admin.request('CREDENTIAL_CHANGE', { ref, change: { revoke: id }, actor: actorOf(request) });
    return reply.status(204).send();
  });
}
