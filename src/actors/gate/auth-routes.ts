import { MagError } from '../../errors.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { keySetOf } from '../psu/token-keys.ts';
import { CORS } from './cors.ts';
import type { App } from './fastify-app.ts';
import type { RefParams } from './project-routes.ts';

/** A rotation ends every token at once; whoever keeps the old key set longer only refuses new ones. */
const CACHE = 'public, max-age=600';

/** What anybody may know of a project's tokens. */
export function authRoutes(app: App, ports: EdgePorts): void {
  app.get<{ Params: RefParams }>('/p/:ref/auth/v1/.well-known/jwks.json', async (request, reply) => {
    const { ref } = request.params;
    const project = await ports.directory.find(ref);
    if (project === null) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref: ref.slice(0, 64) });
    for (let at = 0; at < CORS.length; at += 2) reply.header(CORS[at] ?? '', CORS[at + 1]);
    reply.header('cache-control', CACHE);
    return project.tokenKeys === undefined ? { keys: [] } : keySetOf(project.tokenKeys);
  });
}
