import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EdgePorts } from '../edge/ports.ts';
import { requireAnyGrant } from '../psu/access.ts';
import type { TableInfo } from '../storage/engine.ts';
import { findTable } from '../storage/sql/compiler.ts';
import { preflight } from './cors.ts';
import type { App } from './fastify-app.ts';
import { admit, type RefParams } from './project-routes.ts';
import { schemaOf } from './rest-plan.ts';

interface TableParams extends RefParams {
  readonly table: string;
}

/** What a table takes; PUT names a row by its primary key. Whether a view can be written is its engine's to say. */
function methodsOf({ kind, columns }: TableInfo): string {
  const keyed = kind === 'table' && columns.some((column) => column.primaryKey > 0);
  return `OPTIONS,GET,HEAD,POST,${keyed ? 'PUT,' : ''}PATCH,DELETE`;
}

const isPreflight = (request: FastifyRequest): boolean =>
  request.headers['access-control-request-method'] !== undefined;

function answerPreflight(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const asked = request.headers['access-control-request-headers'];
  const headers = preflight(typeof asked === 'string' ? asked : undefined);
  for (let at = 0; at < headers.length; at += 2) reply.header(headers[at] ?? '', headers[at + 1]);
  return reply.status(200).send();
}

/** Any page may ask what there is, as it may call it. */
const allow = (reply: FastifyReply, methods: string): FastifyReply =>
  reply.header('access-control-allow-origin', '*').header('allow', methods).status(200).send();

/** Every browser's preflight; and, to whoever may do anything there, what a table or a function takes. */
export function optionsRoutes(app: App, ports: EdgePorts): void {
  app.options('/p/:ref/*', answerPreflight);
  app.options<{ Params: TableParams }>('/p/:ref/rest/v1/:table', async (request, reply) => {
    if (isPreflight(request)) return answerPreflight(request, reply);
    const call = await admit(ports, request, reply);
    const { table } = request.params;
    requireAnyGrant(call.project, call.principal, table);
    const engine = await ports.sessions.open(call.project);
    const schema = schemaOf(request.headers['accept-profile'], call.project.settings);
    const found = findTable(await engine.schema(call), schema, table);
    return allow(reply, methodsOf(found));
  });
  app.options<{ Params: RefParams }>('/p/:ref/rest/v1/rpc/:function', async (request, reply) => {
    if (isPreflight(request)) return answerPreflight(request, reply);
    await admit(ports, request, reply);
    return allow(reply, 'OPTIONS,GET,HEAD,POST');
  });
}
