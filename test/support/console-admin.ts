import { MagError } from '../../src/errors.ts';
import type { AdminPort, AdminRequests, AdminRequestType } from '../../src/protocol/admin.ts';
import type { EngineKind, ProjectView } from '../../src/protocol/project.ts';
import type { ActorSystem } from '../../src/runtime/system.ts';

export const CONSOLE_KEY = 'console-test-key-0123456789-abcdefghi';
export const CONSOLE_TICKET = 'one-time';
const TOKEN = 'console-test-session';

type Answers = { [Type in AdminRequestType]?: (request: AdminRequests[Type]['request']) => unknown };

const view = (origin: string, ref: string, name: string, engine: EngineKind): ProjectView => ({
  ref,
  name,
  engine,
  url: `${origin}/p/${ref}`,
  status: 'ready',
  settings: { grants: [] },
  createdAt: '2026-11-23T08:00:00.000Z',
});

function projectAnswers(origin: () => string): Answers {
  const projects = new Map<string, ProjectView>();
  const add = (ref: string, name: string, engine: EngineKind): ProjectView => {
    const made = view(origin(), ref, name, engine);
    projects.set(ref, made);
    return made;
  };
  return {
    PROJECT_LIST: () => {
      if (projects.size === 0) {
        add('k3v9qdw2hx7m', 'demo', 'sqlite');
        add('x81mtzp4ny0c', 'shop', 'postgres');
      }
      return [...projects.values()];
    },
    PROJECT_CREATE: ({ name, engine }) => {
      if ([...projects.values()].some((known) => known.name === name)) {
        throw new MagError('MAG_PROJECT_NAME_TAKEN', { name });
      }
      const made = add(`p${projects.size}new`, name, engine);
      return { ...made, keys: { anon: 'mag_anon_0123456789', service: 'mag_service_0123456789' } };
    },
    PROJECT_DELETE: ({ ref }) => {
      if (!projects.delete(ref)) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
      return null;
    },
  };
}

/** The main thread's answers that the page needs: actors are the system's own, projects are held in memory. */
export function consoleAdmin(system: ActorSystem, origin: () => string): AdminPort {
  const answers: Answers = {
    ...projectAnswers(origin),
    ADMIN_VERIFY: ({ credential }) => credential === CONSOLE_KEY || credential === TOKEN,
    SESSION_OPEN: (request) => {
      const right = 'key' in request ? request.key === CONSOLE_KEY : request.ticket === CONSOLE_TICKET;
      if (!right) throw new MagError('MAG_ADMIN_KEY_INVALID');
      return { token: TOKEN, expiresInSeconds: 3_600 };
    },
    SESSION_CLOSE: () => null,
    ENGINES: () =>
      (['sqlite', 'postgres', 'mysql', 'mongodb', 'redis'] as const).map((engine, index) => ({
        engine,
        available: index < 2,
        provider: ['node:sqlite', 'embedded PostgreSQL 18'][index] ?? null,
        why: index < 2 ? null : 'not on this board',
        feed: { available: index < 2, why: null },
      })),
    ACTORS: () => system.tree(),
    ACTOR_COMMAND: async ({ path, command, reason }) => {
      await system.command(path, command, reason);
      return null;
    },
  };
  return {
    request: async (type, request) => {
      const answer = answers[type];
      if (answer === undefined) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: type });
      // Each answer stands under its own request's type in Answers.
      return (await (answer as (request: object) => unknown)(request)) as never;
    },
  };
}
