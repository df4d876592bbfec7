import type { FastifyRequest } from 'fastify';
import { MagError } from '../../errors.ts';
import { ACTOR_COMMANDS, type ActorCommand } from '../../protocol/actor-node.ts';
import { ENGINE_KINDS, type EngineKind } from '../../protocol/project.ts';
import type { JsonValue } from '../../protocol/query.ts';
import type { TokenRequest } from '../../protocol/tokens.ts';
import type { EdgePorts } from '../edge/ports.ts';
import type { AdminActor, AdminAuth } from './admin-auth.ts';
import { type CommandBody, commandBody, type ProjectBody, projectBody, tokenBody } from './admin-schemas.ts';
import { credentialRoutes } from './credential-routes.ts';
import type { App } from './fastify-app.ts';

const COMMANDS: ReadonlySet<string> = new Set(ACTOR_COMMANDS);
const isCommand = (word: string): word is ActorCommand => COMMANDS.has(word);
const isEngine = (name: string): name is EngineKind => ENGINE_KINDS.some((engine) => engine === name);

interface RefParams {
  readonly ref: string;
}

/** `board/edges/edge-1/gate/crash` → the actor's path and the command. Throws MAG_NOT_FOUND. */
function readCommand(tail: string): { readonly path: string; readonly command: ActorCommand } {
  const slash = tail.lastIndexOf('/');
  const command = tail.slice(slash + 1);
  if (slash <= 0 || !isCommand(command)) {
    throw new MagError('MAG_NOT_FOUND', { path: `/admin/v1/actors/${tail.slice(0, 200)}` });
  }
  return { path: tail.slice(0, slash), command };
}

/** The operator's API. Every route has passed AdminAuth; what is asked of the board names who asked. */
export function adminRoutes(app: App, ports: EdgePorts, auth: AdminAuth): void {
  const actors = new WeakMap<FastifyRequest, AdminActor>();
  app.addHook('onRequest', async (request) => {
    actors.set(request, await auth.require(request.headers));
  });
  const actorOf = (request: FastifyRequest): AdminActor => actors.get(request) ?? 'admin';
  const { admin } = ports;

  app.post<{ Body: ProjectBody }>('/projects', { schema: { body: projectBody } }, async (request, reply) => {
    const { name, engine } = request.body;
    if (!isEngine(engine)) throw new MagError('MAG_ENGINE_UNKNOWN', { engine });
    reply.status(201);
    return admin.request('PROJECT_CREATE', { name, engine, actor: actorOf(request) });
  });
  app.get('/projects', () => admin.request('PROJECT_LIST', {}));
  app.get<{ Params: RefParams }>('/projects/:ref', (request) =>
    admin.request('PROJECT_GET', { ref: request.params.ref }),
  );
  app.get<{ Params: RefParams }>('/projects/:ref/keys', (request) =>
    admin.request('PROJECT_KEYS', { ref: request.params.ref, actor: actorOf(request) }),
  );
  app.post<{ Params: RefParams }>('/projects/:ref/keys/rotate', (request) =>
    admin.request('PROJECT_ROTATE', { ref: request.params.ref, actor: actorOf(request) }),
  );
  app.post<{ Params: RefParams; Body: TokenRequest }>(
    '/projects/:ref/tokens',
    { schema: { body: tokenBody } },
    async (request, reply) => {
      reply.status(201);
      const { ref } = request.params;
      return admin.request('PROJECT_TOKEN', { ref, token: request.body, actor: actorOf(request) });
    },
  );
  credentialRoutes(app, admin, actorOf);
  // The catalogue alone says which settings are valid.
  app.route<{ Params: RefParams; Body: JsonValue | undefined }>({
    method: ['PUT', 'PATCH'],
    url: '/projects/:ref/settings',
    handler: (request) =>
      admin.request('PROJECT_SETTINGS', {
        ref: request.params.ref,
        settings: request.body,
        ...(request.method === 'PATCH' ? { merge: true } : {}),
        actor: actorOf(request),
      }),
  });
  app.delete<{ Params: RefParams }>('/projects/:ref', async (request, reply) => {
    await admin.request('PROJECT_DELETE', { ref: request.params.ref, actor: actorOf(request) });
    return reply.status(204).send();
  });
  app.get('/engines', () => admin.request('ENGINES', {}));
  app.get('/actors', () => admin.request('ACTORS', {}));
  app.get('/status', () => admin.request('STATUS', {}));
  app.post<{ Params: { readonly '*': string }; Body: CommandBody | undefined }>(
    '/actors/*',
    { schema: { body: commandBody } },
    async (request, reply) => {
      const { path, command } = readCommand(request.params['*']);
      const reason = request.body?.reason ?? 'asked for over the admin API';
      const fault = request.body?.fault;
      const asked = { path, command, reason, actor: actorOf(request) };
      await admin.request('ACTOR_COMMAND', fault === undefined ? asked : { ...asked, fault });
      return reply.status(202).send({ path, command, reason });
    },
  );
}
