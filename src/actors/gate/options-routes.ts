import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TableAction } from '../../protocol/principal.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { requireAnyGrant } from '../psu/access.ts';
import type { FunctionInfo, TableInfo } from '../storage/engine.ts';
import { findTable } from '../storage/sql/compiler.ts';
import { preflight } from './cors.ts';
import { reachableIn } from './description-routes.ts';
import type { App } from './fastify-app.ts';
import { admit, type RefParams } from './project-routes.ts';
import { schemaOf } from './rest-plan.ts';

interface FunctionParams extends RefParams {
  readonly function: string;
}

interface TableParams extends RefParams {
  readonly table: string;
}

/** What somebody may do with a table, who may do these actions; PUT names a row by its primary key. */
function methodsOf({ columns, writes }: TableInfo, actions: readonly TableAction[]): string {
  const may = (action: TableAction): boolean =>
    actions.includes(action) && (action === 'select' || (writes?.includes(action) ?? true));
  const replaces = may('insert') && may('update') && columns.some((column) => column.primaryKey > 0);
  return [
    'OPTIONS',
    ...(may('select') ? ['GET', 'HEAD'] : []),
    ...(may('insert') ? ['POST'] : []),
    ...(replaces ? ['PUT'] : []),
    ...(may('update') ? ['PATCH'] : []),
    ...(may('delete') ? ['DELETE'] : []),
  ].join(',');
}

/** GET calls only what writes nothing. A name of which nothing is known is anybody's guess. */
function callsOf(functions: readonly FunctionInfo[]): string {
  const reads = functions.length === 0 || functions.some(({ volatile }) => !volatile);
  return reads ? 'OPTIONS,GET,HEAD,POST' : 'OPTIONS,POST';
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
  for (const path of ['/p/:ref/rest/v1', '/p/:ref/rest/v1/'])
    app.options<{ Params: RefParams }>(path, async (request, reply) => {
      if (isPreflight(request)) return answerPreflight(request, reply);
      await admit(ports, request, reply);
      return allow(reply, 'OPTIONS,GET,HEAD');
    });
  app.options<{ Params: TableParams }>('/p/:ref/rest/v1/:table', async (request, reply) => {
    if (isPreflight(request)) return answerPreflight(request, reply);
    const call = await admit(ports, request, reply);
    const { table } = request.params;
    requireAnyGrant(call.project, call.principal, table);
    const engine = await ports.sessions.open(call.project);
    const schema = schemaOf(request.headers['accept-profile'], call.project.settings);
    const found = findTable(await engine.schema(call), schema, table);
    const { tables } = await reachableIn(engine, call);
    const own = tables.find((each) => each.table.name === found.name && each.table.schema === found.schema);
    return allow(reply, methodsOf(found, own?.actions ?? []));
  });
  app.options<{ Params: FunctionParams }>('/p/:ref/rest/v1/rpc/:function', async (request, reply) => {
    if (isPreflight(request)) return answerPreflight(request, reply);
    const call = await admit(ports, request, reply);
    const schema = schemaOf(request.headers['accept-profile'], call.project.settings);
    const { functions } = await reachableIn(await ports.sessions.open(call.project), call);
    const name = request.params.function;
    return allow(reply, callsOf(functions.filter((each) => each.schema === schema && each.name === name)));
  });
}
