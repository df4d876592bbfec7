import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestIds } from './request-id.ts';
import type { RestService } from './rest-service.ts';

const REST = '/rest/v1/';

/** The table's name as the path has it; null where the path names none, or its escapes are malformed. */
function tableOf(path: string): string | null {
  if (path === '' || path.includes('/')) return null;
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/** Answers a request itself, or returns false and leaves it to the router. */
export type Lane = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * The way of a REST read, past Fastify's router and objects: they cost as much as the parse, the access check and
 * the reply together. Anything but a well-formed read of a table goes the ordinary way.
 */
export function readLane(rest: RestService, nextId: RequestIds): Lane {
  return (request, response) => {
    const { method, url = '' } = request;
    if ((method !== 'GET' && method !== 'HEAD') || !url.startsWith('/p/')) return false;
    const slash = url.indexOf('/', 3);
    if (slash <= 3 || !url.startsWith(REST, slash)) return false;
    const mark = url.indexOf('?', slash);
    const table = tableOf(url.slice(slash + REST.length, mark === -1 ? undefined : mark));
    if (table === null) return false;
    const id = nextId(request.headers['x-request-id']);
    const search = mark === -1 ? '' : url.slice(mark + 1);
    void rest.answer(request, response, {
      id,
      ref: url.slice(3, slash),
      table,
      call: false,
      search,
      body: '',
    });
    return true;
  };
}
