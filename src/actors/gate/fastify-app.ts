import { isUtf8 } from 'node:buffer';
import type { Server } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { errorBody, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { parseJson } from './body.ts';
import { CORS } from './cors.ts';
import { toPublic } from './faults.ts';
import type { GateMetrics, RouteClass } from './gate-metrics.ts';
import { requireJson } from './media-type.ts';
import { errorHeaders, JSON_TYPE, proxyStatus } from './reply.ts';
import type { RequestIds } from './request-id.ts';

export type App = FastifyInstance<Server>;

const routeClass = (url: string): RouteClass => {
  if (url.startsWith('/admin/')) return 'admin';
  if (url.startsWith('/p/')) {
    if (url.includes('/sql/v1') || url.includes('/native/v1')) return 'sql';
    return url.includes('/realtime/v1') ? 'realtime' : 'rest';
  }
  return url.startsWith('/livez') || url.startsWith('/readyz') || url.startsWith('/metrics')
    ? 'health'
    : 'ui';
};

/** A validation error names the field and what is wrong with it. */
function fromValidation(error: unknown): MagError | null {
  if (!(error instanceof Error) || !Array.isArray(Reflect.get(error, 'validation'))) return null;
  return new MagError('MAG_BAD_REQUEST', { problem: error.message });
}

/** Sets what every reply outside the REST path carries. */
function decorate(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  if (!request.url.startsWith('/p/') || request.headers.origin === undefined) return;
  for (let at = 0; at < CORS.length; at += 2) reply.header(CORS[at] ?? '', CORS[at + 1]);
}

/**
 * The rest of a body that is too large is read and dropped, for as long as a request may take. Fastify would close the
 * connection instead, and a client that is still writing would meet a reset and not the reply.
 */
function readOn(request: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection');
  request.raw.resume();
}

/** Answers with the error's own status and body, whatever was thrown. */
export function replyWithError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  ports: EdgePorts,
): FastifyReply {
  const known = fromValidation(error) ?? toPublic(error, ports.log, request.id);
  const headers = [...errorHeaders(known), ...(REST_PATH.test(request.url) ? proxyStatus(known) : [])];
  for (let at = 0; at < headers.length; at += 2) reply.header(headers[at] ?? '', headers[at + 1]);
  decorate(request, reply);
  if (known.code === 'MAG_BODY_TOO_LARGE') readOn(request, reply);
  return reply.status(known.status).type(JSON_TYPE).send(errorBody(known));
}

/** Throws MAG_BAD_REQUEST: decoding would put one and the same sign for whatever is no character. */
function textOf(body: string | Buffer): string {
  if (typeof body === 'string') return body;
  if (!isUtf8(body)) throw new MagError('MAG_BAD_REQUEST', { problem: 'the body is no UTF-8' });
  return body.toString('utf8');
}

/** Bodies stay text: the REST path parses its own. */
function keepBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, textOf(body));
    } catch (error) {
      done(asError(error));
    }
  });
  // Bytes are no text: the one reader of them, a function's argument, gets them in hex.
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body.toString('hex')),
  );
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error('unreadable body'));

/** Routes outside REST read JSON bodies, so that Fastify can hold them against a schema. */
export function parseJsonBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      requireJson(request.headers['content-type']);
      const text = textOf(body);
      done(null, text === '' ? undefined : parseJson(text));
    } catch (error) {
      done(asError(error));
    }
  });
}

/** Hooks of every route but REST's, which must not pay for them. */
export function observe(app: App, metrics: GateMetrics, draining: () => boolean): void {
  app.addHook('onRequest', (request, reply, done) => {
    decorate(request, reply);
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (draining()) reply.raw.shouldKeepAlive = false;
    done(null, payload);
  });
  app.addHook('onResponse', (request, reply, done) => {
    metrics.count(routeClass(request.url), reply.statusCode, reply.elapsedTime);
    done();
  });
}

/** Below it there are tables and functions, and PostgREST's clients know its word for anything else. */
const REST_PATH = /^\/p\/[^/]+\/rest\/v1\//;

export const nothingAt = (path: string): MagError =>
  REST_PATH.test(path)
    ? new MagError('PGRST125')
    : new MagError('MAG_NOT_FOUND', { path: path.slice(0, 200) });

/** Fastify on a server of our own, without logger, serializers or hooks at the root. */
export function createApp(
  ports: EdgePorts,
  metrics: GateMetrics,
  nextId: RequestIds,
  server: (handler: Listener) => Server,
): App {
  const app = Fastify({
    logger: false,
    bodyLimit: LIMITS.bodyBytes,
    genReqId: (request) => nextId(request.headers['x-request-id']),
    serverFactory: (handler) => server(handler),
    routerOptions: {
      ignoreTrailingSlash: false,
      maxParamLength: 512,
      // The query string is handed on as it is: the grammar and the few other readers parse it themselves.
      querystringParser: () => ({}),
    },
    frameworkErrors: (error, request, reply) => {
      replyWithError(request, reply, error, ports);
    },
    return503OnClosing: false,
    // A body is what the schema says or refused; Fastify's defaults would bend it until it fits.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
  });
  keepBodies(app);
  app.setErrorHandler((error, request, reply) => replyWithError(request, reply, error, ports));
  app.setNotFoundHandler((request, reply) => {
    metrics.count('other', 404, reply.elapsedTime);
    return replyWithError(request, reply, nothingAt(request.url), ports);
  });
  return app;
}

type Listener = NonNullable<Parameters<typeof import('node:http').createServer>[1]>;
