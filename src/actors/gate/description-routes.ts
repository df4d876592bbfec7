import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MagError } from '../../errors.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { reachableBy } from '../psu/access.ts';
import type { Engine, Reachable } from '../storage/engine.ts';
import type { App } from './fastify-app.ts';
import { documentType } from './media-type.ts';
import { toProfile } from './profile-header.ts';
import { projectDocument } from './project-document.ts';
import { admit, type RefParams } from './project-routes.ts';
import type { ReplyBudget } from './reply-budget.ts';
import type { RestCall } from './rest-call.ts';
import { schemaOf } from './rest-plan.ts';

/** An engine's version may count what is in its catalogue: others learn only that it is another one. */
const digest = (version: string): string =>
  createHash('sha256').update(version).digest('base64url').slice(0, 22);

/** What who calls may use of the project. */
export async function reachableIn(engine: Engine, call: RestCall): Promise<Reachable> {
  const asked = (): Promise<Reachable> => {
    if (engine.reachable !== undefined) return engine.reachable(call);
    throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'privileges' });
  };
  return reachableBy(call.project, call.principal, await engine.schema(call), asked);
}

/** The description of a project: to each key, what it may use of it. */
export function descriptionRoutes(app: App, ports: EdgePorts, budget: ReplyBudget): void {
  const describe = async (
    request: FastifyRequest<{ Params: RefParams }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    const call = await admit(ports, request, reply);
    const { project, principal } = call;
    const type = documentType(request.headers.accept);
    const schema = schemaOf(request.headers['accept-profile'], project.settings);
    const engine = await ports.sessions.open(project);
    const reachable = await reachableIn(engine, call);
    const version = principal.role === 'service_role' ? reachable.version : digest(reachable.version);
    const json = JSON.stringify(projectDocument(project, { ...reachable, version }, schema));
    budget.admit(reply.raw, json);
    const profile = project.settings.schemas === undefined ? null : toProfile(schema);
    if (profile !== null) reply.header('content-profile', profile);
    // As a table's reply to HEAD: it tells no length, which would be that of what is left out.
    return reply.type(`${type}; charset=utf-8`).send(request.method === 'HEAD' ? undefined : json);
  };
  for (const url of ['/p/:ref/rest/v1/', '/p/:ref/rest/v1'])
    app.route<{ Params: RefParams }>({ method: ['GET', 'HEAD'], url, handler: describe });
}
