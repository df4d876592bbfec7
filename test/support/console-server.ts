import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { buildUi } from '../../scripts/build-ui.ts';
import { createScopeClient } from '../../src/actors/console/scope-client.ts';
import { createScopeHub } from '../../src/actors/console/scope-hub.ts';
import { createScopeSocket, type ScopeSocket } from '../../src/actors/console/scope-socket.ts';
import { type ErrorCode, errorBody, MagError } from '../../src/errors.ts';
import type { ActorCommand } from '../../src/protocol/actor-node.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import type { Message } from '../../src/runtime/spec.ts';
import { boardLikeTree } from './console-board.ts';
import { ScriptedSystem } from './scripted-system.ts';

const KEY = 'console-test-key-0123456789-abcdefghi';
const COOKIE = 'mag_console=test-session';
const DIST = join(import.meta.dirname, '../../ui/dist');
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A console to test against: where it is, what signs in, and an actor that may be crashed. */
export interface TestConsole {
  readonly url: string;
  readonly adminKey: string;
  /** A one-time login ticket, where one can be had. */
  readonly ticket: string | null;
  /** Path of a component that comes back by itself after a crash, with a backoff a browser can see. */
  readonly victim: string;
  /** Cuts every inspector's socket, as a dying edge worker would. */
  cutSockets(): void;
  readonly stop: () => Promise<void>;
}

/** The hub and one edge's end of it, joined without a thread between them. */
export function joinScope(system: ScriptedSystem, path = 'board/edges/edge-1/uplink') {
  let toEdge: (message: Message) => void = () => {};
  const hub = createScopeHub({
    system,
    send: (to, message) => {
      if (to !== path) return 'dead';
      system.host.defer(() => toEdge(message));
      return 'sent';
    },
  });
  const scope = createScopeClient({
    host: system.host,
    log: system.log,
    path,
    ask: async (message) => hub.handle(message) ?? { known: false },
    send: (message) => void hub.handle(message),
    onMessage: (listener) => {
      toEdge = listener;
    },
  });
  return { hub, scope };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // a request without an encoding yields buffers
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
}

const fail = (code: ErrorCode, params: Record<string, string> = {}): never => {
  throw new MagError(code, params);
};

const project = (origin: string, ref: string, name: string, engine: string) => ({
  ref,
  name,
  engine,
  url: `${origin}/p/${ref}`,
  status: 'ready',
  settings: { grants: [] },
  createdAt: '2026-11-23T08:00:00.000Z',
});

/** The few admin routes the page needs, over a scripted tree. */
class ConsoleRoutes {
  readonly #system: ScriptedSystem;
  readonly #projects = new Map<string, ReturnType<typeof project>>();

  constructor(system: ScriptedSystem, origin: string) {
    this.#system = system;
    this.#projects.set('k3v9qd', project(origin, 'k3v9qd', 'demo', 'sqlite'));
    this.#projects.set('x81mtz', project(origin, 'x81mtz', 'shop', 'postgres'));
  }

  async answer(
    method: string,
    path: string,
    body: Record<string, unknown>,
    origin: string,
  ): Promise<unknown> {
    const [, , area, ...rest] = path.split('/').slice(1).map(decodeURIComponent);
    if (path === '/livez') return { status: 'degraded', stage: 'ready', components: [] };
    if (area === 'engines') {
      return ['sqlite', 'postgres', 'mysql', 'mongodb', 'redis'].map((engine, index) => ({
        engine,
        available: index < 2,
        provider: index === 0 ? 'node:sqlite' : index === 1 ? 'embedded PostgreSQL 18' : null,
        why: index < 2 ? null : 'not in this release',
        feed: { available: index < 2, why: null },
      }));
    }
    if (area === 'projects') return this.#project(method, rest[0] ?? '', body, origin);
    if (area === 'actors') return this.#command(rest, String(body.reason ?? ''));
    return fail('MAG_NOT_FOUND', { path });
  }

  #project(method: string, ref: string, body: Record<string, unknown>, origin: string): unknown {
    if (method === 'GET') return [...this.#projects.values()];
    if (method === 'DELETE') {
      this.#projects.delete(ref);
      return null;
    }
    const name = String(body.name);
    if ([...this.#projects.values()].some((known) => known.name === name)) {
      return fail('MAG_PROJECT_NAME_TAKEN', { name });
    }
    const made = project(origin, `p${this.#projects.size}new`, name, String(body.engine));
    this.#projects.set(made.ref, made);
    return { ...made, keys: { anon: 'mag_anon_0123456789', service: 'mag_service_0123456789' } };
  }

  async #command(rest: readonly string[], reason: string): Promise<null> {
    const path = rest.slice(0, -1).join('/');
    if (this.#system.find(path) === undefined) return fail('MAG_ACTOR_NOT_FOUND', { path });
    if (path === 'board') return fail('MAG_FAULT_INJECTION_DISABLED');
    await this.#system.command(path, rest.at(-1) as ActorCommand, reason); // the page sends no other word
    return null;
  }
}

async function serveFile(path: string, response: ServerResponse): Promise<void> {
  const file = normalize(join(DIST, path === '/' ? 'index.html' : path));
  try {
    if (!file.startsWith(DIST)) throw new Error('outside');
    const content = await readFile(file);
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
    });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

const signedIn = (request: IncomingMessage): boolean => request.headers.cookie?.includes(COOKIE) === true;

async function serveRoute(
  routes: ConsoleRoutes,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const reply = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === null ? '{}' : JSON.stringify(body));
  };
  try {
    const body = await bodyOf(request);
    if (path === '/admin/v1/session' && request.method === 'POST') {
      if (body.key !== KEY && body.ticket !== 'one-time') throw new MagError('MAG_ADMIN_KEY_INVALID');
      reply(200, {}, { 'set-cookie': `${COOKIE}; HttpOnly; SameSite=Strict; Path=/` });
      return;
    }
    if (path !== '/livez' && !signedIn(request)) throw new MagError('MAG_ADMIN_KEY_INVALID');
    const origin = `http://${request.headers.host}`;
    reply(200, await routes.answer(request.method ?? 'GET', path, body, origin));
  } catch (error) {
    if (!(error instanceof MagError)) throw error;
    reply(error.status, errorBody(error));
  }
}

/** Serves the built page over a scripted actor tree, with the real hub, client and socket between them. */
export async function startConsole(): Promise<TestConsole> {
  await buildUi(() => {});
  const host = nodeHost();
  const since = new Date(host.wallTime() - 754_000).toISOString();
  const system = new ScriptedSystem(host, boardLikeTree(since));
  const { hub, scope } = joinScope(system);
  const open = new Set<import('node:stream').Duplex>();
  const sockets: ScopeSocket = createScopeSocket({ host, log: silentLog, scope });
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // TCP servers have an AddressInfo
  const routes = new ConsoleRoutes(system, url);
  server.on('request', (request, response) => {
    const { pathname } = new URL(request.url ?? '/', url);
    if (pathname === '/livez' || pathname.startsWith('/admin/')) {
      void serveRoute(routes, request, response, pathname);
    } else void serveFile(pathname, response);
  });
  server.on('upgrade', (request, socket, head) => {
    if (!signedIn(request)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
      return;
    }
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    sockets.handleUpgrade(request, socket, head);
  });
  return {
    url,
    adminKey: KEY,
    ticket: 'one-time',
    victim: 'board/catalogue',
    cutSockets: () => {
      for (const socket of open) socket.destroy();
    },
    stop: async () => {
      sockets.close();
      hub.close();
      server.closeAllConnections();
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

if (import.meta.main) {
  const { url, adminKey } = await startConsole();
  console.log(`${url}/?ticket=one-time  key ${adminKey}`);
}
