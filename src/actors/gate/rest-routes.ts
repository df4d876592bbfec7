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

interface FunctionParams extends RefParams {
  readonly function: string;
}

type CallRequest = FastifyRequest<{ Params: FunctionParams; Body: string | undefined }>;

function refuse(request: FastifyRequest, reply: FastifyReply, error: MagError, allow: string): void {
  sendError(reply.raw, request.id, error, ['allow', allow]);
}

/**
 * REST's writes (its reads have a lane of their own) and calls of functions: no hooks, no serializer. The handler
 * writes to the raw response, and returns nothing, so that Fastify waits for nothing either.
 */
export function restRoutes(app: App, rest: RestService): void {
  app.route<{ Params: TableParams; Body: string | undefined }>({
    method: ['POST', 'PATCH', 'PUT', 'DELETE'],
    url: '/p/:ref/rest/v1/:table',
    handler: (request: RestRequest, reply: FastifyReply) => {
      const { ref, table } = request.params;
      const { raw } = request;
      const search = searchOf(raw.url ?? '');
      const body = request.body ?? '';
      void rest.answer(raw, reply.raw, { id: request.id, ref, table, call: false, search, body });
    },
  });
  app.route<{ Params: FunctionParams; Body: string | undefined }>({
    method: ['GET', 'HEAD', 'POST'],
    url: '/p/:ref/rest/v1/rpc/:function',
    handler: (request: CallRequest, reply: FastifyReply) => {
      const { ref, function: table } = request.params;
      const { raw } = request;
      const search = searchOf(raw.url ?? '');
      const body = request.body ?? '';
      void rest.answer(raw, reply.raw, { id: request.id, ref, table, call: true, search, body });
    },
  });
  app.route<{ Params: FunctionParams }>({
    method: ['PUT', 'PATCH', 'DELETE'],
    url: '/p/:ref/rest/v1/rpc/:function',
    handler: (request, reply) =>
      refuse(
        request,
        reply,
        new MagError('PGRST101', { method: request.method }),
        'OPTIONS, GET, HEAD, POST',
      ),
  });
}
