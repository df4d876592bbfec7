import { type AdminHandlers, adminHandlers } from '../actors/catalogue/admin-handlers.ts';
import type { Catalogue } from '../actors/catalogue/catalogue.ts';
import { describeError, MagError } from '../errors.ts';
import type { ActorNode } from '../protocol/actor-node.ts';
import type { AdminRequests, AdminRequestType } from '../protocol/admin.ts';
import type { ChildSpec, ComponentContext, ComponentService, Message } from '../runtime/spec.ts';
import { component } from '../runtime/specs.ts';
import { boardMetrics } from './metrics.ts';
import { BACKOFF } from './restarts.ts';
import { auditPort } from './services.ts';
import type { Shelf } from './shelf.ts';

type CommandRequest = AdminRequests['ACTOR_COMMAND']['request'];

/** A fault that only the thread itself can commit: it leaves, or spins for ever. */
function sabotage({ system }: ComponentContext, { path, fault, reason }: CommandRequest): void {
  const mount = system
    .mounts()
    .find((candidate) => candidate === path && candidate.startsWith('board/edges/'));
  if (mount === undefined) {
    throw new MagError('MAG_BAD_REQUEST', {
      problem: `fault ${fault} needs an edge worker's path, ${path} is none`,
    });
  }
  system.slot(`${mount}/uplink`).send({ type: 'FAULT', fault, reason });
}

/** Long enough for the reply to whoever asked: it goes through what is about to end. */
const REPLY_MS = 50;

const isWithin = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/** Whether an actor that the command ends may have to carry the reply to it. */
const carriesReply = (path: string): boolean =>
  path === 'board' || isWithin(path, 'board/admin') || isWithin(path, 'board/edges');

/** What every command comes through: without them no command could bring them back. A crash or restart is no matter. */
const WAY_IN: readonly string[] = ['board/admin', 'board/audit', 'board/edges'];

function requireWayBack({ path, command }: CommandRequest): void {
  if ((command !== 'stop' && command !== 'pause') || !WAY_IN.includes(path)) return;
  throw new MagError('MAG_BAD_REQUEST', {
    problem: `every command comes through ${path}: after a ${command} none could bring it back; restart it instead`,
  });
}

const isIn = (tree: ActorNode, path: string): boolean =>
  tree.path === path || tree.children.some((child) => isIn(child, path));

/** Ends what carries the reply once the reply has gone; an edge worker would else wait for its own request. */
async function commandLater(
  { system, host, log }: ComponentContext,
  { path, command, reason }: CommandRequest,
): Promise<void> {
  if (!isIn(await system.tree(), path)) throw new MagError('MAG_ACTOR_NOT_FOUND', { path });
  host.setTimer(REPLY_MS, () => {
    system.command(path, command, reason).catch((error: unknown) => {
      log.warn({ path, command, error: describeError(error) }, 'a command could not be carried out');
    });
  });
}

async function runCommand(context: ComponentContext, shelf: Shelf, request: CommandRequest): Promise<null> {
  const { path, command, reason, actor, fault } = request;
  if (command === 'crash' && !shelf.config.faultInjection) throw new MagError('MAG_FAULT_INJECTION_DISABLED');
  requireWayBack(request);
  const { system } = context;
  // Before the fact: a crash of the audit log itself, or of what answers here, must be in the trail too.
  await auditPort(system).append({
    actor,
    action: `actor.${command}`,
    target: path,
    reason,
    outcome: 'asked',
  });
  // The root is refused to be stopped or restarted, at once: that is for a signal to the process.
  const ends = command === 'crash' || (path !== 'board' && (command === 'restart' || command === 'stop'));
  if (fault !== undefined && fault !== 'throw') sabotage(context, request);
  else if (ends && carriesReply(path)) await commandLater(context, request);
  else await system.command(path, command, reason);
  return null;
}

function handlers(context: ComponentContext, shelf: Shelf): AdminHandlers {
  const { system } = context;
  const projects = (): ReturnType<typeof adminHandlers> =>
    adminHandlers({
      catalogue: system.service<Catalogue>('catalogue'),
      adminKey: shelf.take('adminKey'),
      sessions: shelf.take('sessions'),
      audit: auditPort(system),
    });
  return {
    ADMIN_VERIFY: async ({ credential }) =>
      shelf.take('sessions').verifyToken(credential) || shelf.take('adminKey').verify(credential),
    SESSION_OPEN: async (request) => projects().SESSION_OPEN(request),
    SESSION_CLOSE: async (request) => projects().SESSION_CLOSE(request),
    PROJECT_CREATE: async (request) => projects().PROJECT_CREATE(request),
    PROJECT_LIST: async (request) => projects().PROJECT_LIST(request),
    PROJECT_GET: async (request) => projects().PROJECT_GET(request),
    PROJECT_KEYS: async (request) => projects().PROJECT_KEYS(request),
    PROJECT_ROTATE: async (request) => projects().PROJECT_ROTATE(request),
    PROJECT_TOKEN: async (request) => projects().PROJECT_TOKEN(request),
    CREDENTIAL_LIST: async (request) => projects().CREDENTIAL_LIST(request),
    CREDENTIAL_CHANGE: async (request) => projects().CREDENTIAL_CHANGE(request),
    PROJECT_SETTINGS: async (request) => projects().PROJECT_SETTINGS(request),
    PROJECT_DELETE: async (request) => projects().PROJECT_DELETE(request),
    PROJECT_RESOLVE: async (request) => projects().PROJECT_RESOLVE(request),
    ENGINES: async (request) => projects().ENGINES(request),
    ACTORS: () => system.tree(),
    ACTOR_COMMAND: (request) => runCommand(context, shelf, request),
    STATUS: async () => shelf.take('state').status(),
    METRICS: () => boardMetrics(context, shelf),
  };
}

function startAdmin(context: ComponentContext, shelf: Shelf): ComponentService {
  const table = handlers(context, shelf);
  return {
    handle: (message: Message) => {
      if (!Object.hasOwn(table, message.type)) {
        throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `board/admin for ${message.type}` });
      }
      // The gate has validated the request against the schema of its type, which is a key of the table.
      const handler = table[message.type as AdminRequestType] as (request: Message) => Promise<unknown>;
      return handler(message);
    },
  };
}

/** Answers what edge workers ask on behalf of operators. */
export const admin = (shelf: Shelf): ChildSpec =>
  component('admin', (context) => startAdmin(context, shelf), { backoff: BACKOFF });
