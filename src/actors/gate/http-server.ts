import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { CORS } from './cors.ts';
import { toPublic } from './faults.ts';
import type { GateMetrics } from './gate-metrics.ts';
import { byHost } from './paths.ts';
import type { ProjectTurns } from './project-turns.ts';
import { sendError } from './reply.ts';
import type { RequestIds } from './request-id.ts';
import type { Lane } from './rest-lane.ts';
import type { SocketGuard } from './socket-guard.ts';
import { refuseUpgrade, type Upgrades } from './upgrades.ts';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

export interface ServerParts {
  readonly ports: EdgePorts;
  readonly guard: SocketGuard;
  readonly upgrades: Upgrades;
  readonly metrics: GateMetrics;
  readonly domain: string | undefined;
  readonly draining: () => boolean;
  readonly nextId: RequestIds;
  /** In which requests of projects begin. */
  readonly turns: (begin: Listener) => ProjectTurns;
  /** Asked before the router. */
  readonly lane: Lane;
}

/** The project that a path names, or null. */
function refOf(url: string): string | null {
  if (!url.startsWith('/p/')) return null;
  const slash = url.indexOf('/', 3);
  return slash === -1 ? null : url.slice(3, slash);
}

/** What Node's parser makes of a socket that speaks no proper HTTP. */
function clientFault(code: unknown): MagError {
  if (code === 'HPE_HEADER_OVERFLOW') return new MagError('MAG_HEADERS_TOO_LARGE');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new MagError('MAG_REQUEST_TIMEOUT');
  return new MagError('MAG_BAD_REQUEST', { problem: 'it is not well-formed HTTP' });
}

/** Begins requests: those of a project in its turn. */
function beginner(listener: Listener, { turns: makeTurns, lane, nextId }: ServerParts): Listener {
  const turns = makeTurns((request, response) => {
    if (!lane(request, response)) listener(request, response);
  });
  return (request, response) => {
    const ref = refOf(request.url ?? '');
    if (ref === null) return listener(request, response);
    if (turns.offer(ref, request, response)) return;
    // Its body, if any, is read and dropped: the reply must not meet a client that still writes.
    request.resume();
    const cors = request.headers.origin === undefined ? [] : [...CORS];
    const error = new MagError('MAG_OVERLOADED', { what: 'too many requests of this project wait' });
    sendError(response, nextId(request.headers['x-request-id']), error, cors);
  };
}

/** The HTTP server under Fastify: sockets guarded, host names resolved to projects, upgrades dispatched. */
export function createHttpServer(listener: Listener, parts: ServerParts): Server {
  const { ports, guard, upgrades, metrics, domain, draining, nextId } = parts;
  const begin = beginner(listener, parts);
  const onRequest: Listener = (request, response) => {
    guard.headed(request);
    if (draining()) response.shouldKeepAlive = false;
    const { url = '/', headers } = request;
    if (headers.host === undefined && request.httpVersion === '1.1') return hostless(request, response);
    if (url.charCodeAt(1) !== 112) request.url = byHost(url, headers.host, domain);
    begin(request, response);
  };
  const hostless: Listener = (request, response) => {
    response.shouldKeepAlive = false;
    const problem = 'the Host header is missing';
    sendError(
      response,
      nextId(request.headers['x-request-id']),
      new MagError('MAG_BAD_REQUEST', { problem }),
    );
  };
  const server = createServer(
    {
      headersTimeout: LIMITS.headersTimeoutMs,
      requestTimeout: LIMITS.requestTimeoutMs,
      keepAliveTimeout: LIMITS.keepAliveTimeoutMs,
      connectionsCheckingInterval: LIMITS.socketCheckMs,
      noDelay: true,
      // Node would refuse a request without one with an empty body.
      requireHostHeader: false,
    },
    onRequest,
  );
  // An expectation that nobody knows may be ignored; Node would refuse it with an empty body.
  server.on('checkExpectation', onRequest);
  server.timeout = LIMITS.socketIdleMs;
  guard.onFull(() => server.closeIdleConnections());
  server.on('connection', (socket) => guard.accept(socket));
  server.on('clientError', (error, socket) => {
    metrics.malformed += 1;
    if (!socket.writable) socket.destroy();
    else refuseUpgrade(socket, nextId(undefined), clientFault(Reflect.get(error, 'code')));
  });
  server.on('upgrade', (request, socket, head) => {
    // A client that is gone by the time its credentials are checked must not end the worker.
    socket.on('error', () => socket.destroy());
    guard.upgraded(request.socket);
    void upgrade(request, socket, head);
  });

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const id = nextId(request.headers['x-request-id']);
    try {
      if (draining()) throw new MagError('MAG_DRAINING');
      request.url = byHost(request.url ?? '/', request.headers.host, domain);
      await upgrades.dispatch(request, socket, head, id);
      metrics.upgrades += 1;
    } catch (error) {
      refuseUpgrade(socket, id, toPublic(error, ports.log, id));
    }
  };
  return server;
}
