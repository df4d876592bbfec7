import type { FastifyReply, FastifyRequest } from 'fastify';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { stringifyExact } from '../../protocol/exact-json.ts';
import type { JsonValue } from '../../protocol/query.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { bearerOf, principalOf } from '../psu/project-key-check.ts';
import { requireCapability } from '../storage/capabilities.ts';
import type { Engine, ScriptTransaction, SqlResult } from '../storage/engine.ts';
import { type NativeBody, nativeBody, type SqlBody, sqlBody } from './admin-schemas.ts';
import type { App } from './fastify-app.ts';
import type { Once, Outcome, Recording } from './idempotency/once.ts';
import { keyHeader, replayHeaders } from './idempotency/replay.ts';
import { type KeyedRequest, type RequestKey, requestKey, unkeyed } from './idempotency/request-key.ts';
import { JSON_TYPE } from './reply.ts';
import type { ReplyBudget } from './reply-budget.ts';
import { RestCall } from './rest-call.ts';
import { queryKey } from './rest-service.ts';

export interface RefParams {
  readonly ref: string;
}

/** The query string of a request, without its `?`. */
export function searchOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}

/** Project and principal of a request outside REST. Throws MAG_PROJECT_NOT_FOUND, or what principalOf throws. */
export async function admit(
  ports: EdgePorts,
  request: FastifyRequest<{ Params: RefParams }>,
  reply: FastifyReply,
): Promise<RestCall> {
  const { ref } = request.params;
  const project = await ports.directory.find(ref);
  if (project === null) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref: ref.slice(0, 64) });
  const { apikey, authorization } = request.headers;
  const key = typeof apikey === 'string' ? apikey : queryKey(searchOf(request.url));
  const principal = principalOf(project, key, bearerOf(authorization), ports.host.wallTime());
  const deadline = ports.host.now() + LIMITS.statementTimeoutMs;
  const { method, url: path, headers } = request;
  return new RestCall(request.id, project, principal, deadline, reply.raw, { method, path, headers });
}

function requireService(call: RestCall): void {
  if (call.principal.role !== 'service_role') throw new MagError('MAG_SERVICE_KEY_REQUIRED');
}

type SqlRequest = FastifyRequest<{ Params: RefParams; Body: SqlBody }>;

const keyedSql = ({ principal }: RestCall, { headers, url, body }: SqlRequest): KeyedRequest => ({
  ...{ principal, headers, target: 'POST /sql/v1', search: searchOf(url) },
  body: stringifyExact([body.query, ...(body.params ?? [])] as JsonValue), // as it was parsed
});

/** Native SQL under an idempotency key, in one transaction with its record. */
function sqlOnce(
  once: Once,
  engine: Engine,
  call: RestCall,
  key: RequestKey,
  { query, params = [] }: SqlBody,
): Promise<Outcome<SqlResult>> {
  requireCapability(engine.kind, 'sql');
  const { kind, scripts } = engine;
  const recording: Recording<ScriptTransaction> =
    scripts === undefined ? { kind } : { kind, transaction: scripts.bind(engine) };
  return once.run(recording, call, key, {
    run: (transaction) => transaction.sql(query, params),
    withoutRows: ({ rowCount, command }) => ({
      ...{ rowCount, command },
      json: JSON.stringify({ rows: [], fields: [], rowCount, command }),
    }),
  });
}

/** One command of the engine's own protocol, for the engines that have no SQL. */
function nativeRoute(app: App, ports: EdgePorts, budget: ReplyBudget): void {
  app.post<{ Params: RefParams; Body: NativeBody }>(
    '/p/:ref/native/v1',
    {
      schema: { body: nativeBody },
      preValidation: async (request, reply) => requireService(await admit(ports, request, reply)),
    },
    async (request, reply) => {
      const call = await admit(ports, request, reply);
      requireCapability(call.project.engine, 'native');
      // What it does is the server's to say, and no transaction of ours could hold it and its record.
      if (keyHeader(request.headers) !== undefined) throw unkeyed('on native commands; use tx/v1');
      const engine = await ports.sessions.open(call.project);
      if (engine.native === undefined)
        throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'native commands' });
      const json = await engine.native(request.body.command, call);
      ports.feed.nudge(call.project.ref);
      budget.admit(reply.raw, json);
      return reply.type(JSON_TYPE).send(json);
    },
  );
}

/** Native SQL, native commands and the schema of a project, all for the service key. */
export function projectRoutes(app: App, ports: EdgePorts, budget: ReplyBudget, once: Once): void {
  app.post<{ Params: RefParams; Body: SqlBody }>(
    '/p/:ref/sql/v1',
    {
      schema: { body: sqlBody },
      // Before the body is looked at, so that a stranger learns nothing from what is wrong with it.
      preValidation: async (request, reply) => requireService(await admit(ports, request, reply)),
    },
    async (request, reply) => {
      const call = await admit(ports, request, reply);
      const engine = await ports.sessions.open(call.project);
      const header = keyHeader(request.headers);
      const outcome =
        header === undefined
          ? { result: await engine.sql(request.body.query, request.body.params ?? [], call) }
          : await sqlOnce(once, engine, call, requestKey(header, keyedSql(call, request)), request.body);
      ports.feed.nudge(call.project.ref);
      const { json } = outcome.result;
      budget.admit(reply.raw, json);
      const said = 'replayed' in outcome ? replayHeaders(outcome) : [];
      for (let at = 0; at < said.length; at += 2) reply.header(said[at] ?? '', said[at + 1]);
      return reply.type(JSON_TYPE).send(json);
    },
  );
  nativeRoute(app, ports, budget);
  app.get<{ Params: RefParams }>('/p/:ref/schema/v1', async (request, reply) => {
    const call = await admit(ports, request, reply);
    requireService(call);
    const engine = await ports.sessions.open(call.project);
    const { version, tables, functions = [] } = await engine.schema(call, true);
    return { engine: call.project.engine, version, tables: [...tables.values()], functions };
  });
}
