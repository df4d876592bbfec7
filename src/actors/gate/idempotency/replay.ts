import type { IncomingHttpHeaders } from 'node:http';
import type { QueryResult } from '../../storage/engine.ts';
import type { FlatHeaders } from '../reply.ts';
import type { Outcome } from './once.ts';

export const KEY_HEADER = 'idempotency-key';

/** The header of a write; undefined, at the cost of a look, for almost every request. */
export const keyHeader = (headers: IncomingHttpHeaders): string | readonly string[] | undefined =>
  headers[KEY_HEADER];

/** What a reply says of itself where it is not the first one. */
export function replayHeaders({ replayed, omitted }: Outcome<unknown>): FlatHeaders {
  const headers = replayed ? ['idempotency-replayed', 'true'] : [];
  if (omitted) headers.push('idempotency-body', 'omitted');
  return headers;
}

export const withoutRows = ({ media: _made, ...result }: QueryResult): QueryResult => ({
  ...result,
  json: '[]',
});
