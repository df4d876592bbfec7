import type { ServerResponse } from 'node:http';
import { errorBody, type PublicError } from '../../errors.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Header names and values in turn, as writeHead takes them without building an object. */
export type FlatHeaders = string[];

/** Sends a whole reply in one write. `headers` is used up. */
export function send(
  response: ServerResponse,
  status: number,
  headers: FlatHeaders,
  body: string | Buffer | null,
): void {
  if (response.headersSent || response.destroyed) return;
  if (body === null) {
    if (status !== 204 && status !== 304) headers.push('content-length', '0');
    response.writeHead(status, headers).end();
    return;
  }
  headers.push('content-length', String(Buffer.byteLength(body)));
  response.writeHead(status, headers);
  // A HEAD reply says what a GET's would be; Node drops the body itself.
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

export function sendError(
  response: ServerResponse,
  id: string,
  error: PublicError,
  extra: FlatHeaders = [],
): void {
  const headers = ['content-type', JSON_TYPE, 'x-request-id', id, ...errorHeaders(error), ...extra];
  send(response, error.status, headers, JSON.stringify(errorBody(error)));
}
