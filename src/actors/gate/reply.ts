import type { IncomingMessage, ServerResponse } from 'node:http';
import { DatabaseError, errorBody, type PublicError } from '../../errors.ts';
import { splitProject } from './paths.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Header names and values in turn, as writeHead takes them without building an object. */
export type FlatHeaders = string[];

const isBodiless = (status: number): boolean => status === 204 || status === 304;

/**
 * What SQL of a project says of its reply may be a page, and the board's console is served from the same origin: such a
 * page has an origin of its own, reads nothing of the board's, and sends none of its cookies.
 */
export const SANDBOX: readonly string[] = [
  ...['content-security-policy', 'sandbox allow-downloads allow-forms allow-popups allow-scripts'],
  ...['x-content-type-options', 'nosniff'],
];

const POLICY = 'content-security-policy';

/** Where a browser's cookies of a project belong: one origin serves many of them, unless each has its own host name. */
function homeOf({ url = '/', headers }: IncomingMessage): string {
  const project = splitProject(url);
  const { host = '' } = headers;
  return project === null || host.toLowerCase().startsWith(`${project.ref}.`) ? '/' : `/p/${project.ref}`;
}

/** A cookie that goes to its own project and no other, nor to the board, however far its SQL would send it. */
function ownCookie(cookie: string, home: string): string {
  const [pair = '', ...attributes] = cookie.split(';');
  const kept = attributes.filter((each) => {
    const [name = '', value = ''] = each.split('=', 2).map((part) => part.trim());
    const isPath = name.toLowerCase() === 'path';
    return name.toLowerCase() !== 'domain' && !(isPath && !isWithin(value, home));
  });
  const hasPath = kept.some((each) => /^\s*path\s*=/i.test(each));
  return [pair, ...kept, ...(hasPath ? [] : [` Path=${home}`])].join(';');
}

const isWithin = (path: string, home: string): boolean =>
  home === '/' ? path.startsWith('/') : path === home || path.startsWith(`${home}/`);

/**
 * The headers with those that SQL of the project wants, in place of those of the same name. What it allows a page comes
 * beside the sandbox, of which it takes nothing: a browser holds a page to every policy that it is given.
 */
export function overridden(
  headers: FlatHeaders,
  over: readonly string[],
  request: IncomingMessage,
): FlatHeaders {
  if (over.length === 0) return headers;
  const names = new Set(over.filter((name, at) => at % 2 === 0 && name !== POLICY));
  const kept = headers.filter((_, at) => !names.has(headers[at - (at % 2)] ?? ''));
  const home = names.has('set-cookie') ? homeOf(request) : '/';
  const asked = over.map((value, at) =>
    over[at - 1] === 'set-cookie' && at % 2 === 1 ? ownCookie(value, home) : value,
  );
  return [...kept, ...asked, ...(names.has('content-type') && !kept.includes(POLICY) ? SANDBOX : [])];
}

/** Sends a whole reply in one write. `headers` is used up. */
export function send(
  response: ServerResponse,
  status: number,
  headers: FlatHeaders,
  body: string | Buffer | null,
): void {
  if (response.headersSent || response.destroyed) return;
  if (body === null || isBodiless(status)) {
    if (!isBodiless(status)) headers.push('content-length', '0');
    response.writeHead(status, headers).end();
    return;
  }
  // As under PostgREST, which does not say how long what it leaves out would be.
  if (response.req.method === 'HEAD') {
    response.writeHead(status, headers).end();
    return;
  }
  headers.push('content-length', String(Buffer.byteLength(body)));
  response.writeHead(status, headers);
  response.end(body);
}

/** Headers that an error brings with it beside its body. */
export function errorHeaders(error: PublicError): FlatHeaders {
  if (error.retryAfter !== null) return ['retry-after', String(error.retryAfter)];
  if (error.status !== 401) return [];
  if (error.code !== 'PGRST301' && error.code !== 'PGRST303') return ['www-authenticate', 'Bearer'];
  const description = JSON.stringify(error.message);
  return ['www-authenticate', `Bearer error="invalid_token", error_description=${description}`];
}

/** What is beside the status, for a HEAD, whose reply has no body: clients of PostgREST read the code there. */
export const proxyStatus = ({ code }: PublicError): FlatHeaders =>
  /^\w{1,64}$/.test(code) ? ['proxy-status', `PostgREST; error=${code}`] : [];

export function sendError(
  response: ServerResponse,
  id: string,
  error: PublicError,
  extra: FlatHeaders = [],
): void {
  const own = ['content-type', JSON_TYPE, 'x-request-id', id, ...errorHeaders(error), ...extra];
  const raised = error instanceof DatabaseError ? error : null;
  const headers = overridden(own, raised?.headers ?? [], response.req);
  if (typeof raised?.statusText === 'string') response.statusMessage = raised.statusText;
  send(response, error.status, headers, JSON.stringify(errorBody(error)));
}
