import type { FastifyReply, FastifyRequest } from 'fastify';
import { MagError } from '../../errors.ts';
import type { App } from './fastify-app.ts';
import { type RefParams, searchOf } from './project-routes.ts';
import { sendError } from './reply.ts';
import type { RestService } from './rest-service.ts';

interface TableParams extends RefParams {
  readonly table: string;
}

type RestRequest = FastifyRequest<{ Params: TableParams; Body: string | undefined }>;

/**
 * REST's writes (its reads have a lane of their own): no hooks, no serializer. The handler writes to the raw response, and returns nothing,
 * so that Fastify waits for nothing either.
 */
export function restRoutes(app: App, rest: RestService): void {
  app.route<{ Params: TableParams; Body: string | undefined }>({
    method: ['POST', 'PATCH', 'DELETE'],
    url: '/p/:ref/rest/v1/:table',
    handler: (request: RestRequest, reply: FastifyReply) => {
      const { ref, table } = request.params;
      const { raw } = request;
      const url = raw.url ?? '';
      const body = request.body ?? '';
      void rest.answer(raw, reply.raw, { id: request.id, ref, table, search: searchOf(url), body });
    },
  });
  app.put<{ Params: TableParams }>('/p/:ref/rest/v1/:table', (request, reply) => {
    const path = request.url.slice(0, 200);
    const error = new MagError('MAG_METHOD_NOT_ALLOWED', { method: 'PUT', path });
    sendError(reply.raw, request.id, error, ['allow', 'GET, HEAD, POST, PATCH, DELETE, OPTIONS']);
  });
}
