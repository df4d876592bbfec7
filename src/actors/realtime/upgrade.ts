import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorBody, isPublicError, MagError, type PublicError } from '../../errors.ts';
import { isVsn, type Vsn } from '../../protocol/phoenix-frame.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { bearerOf, type principalOf } from '../psu/project-key-check.ts';

/** Who connects to what, checked before the upgrade. */
export interface Admission {
  readonly handle: ProjectHandle;
  readonly apikey: string;
  readonly vsn: Vsn;
}

/** Answers an upgrade request with an HTTP error, and ends its socket. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const shown: PublicError = isPublicError(error) ? error : new MagError('MAG_INTERNAL');
  const body = JSON.stringify(errorBody(shown));
  const lines = [
    `HTTP/1.1 ${shown.status} ${STATUS_CODES[shown.status] ?? 'Error'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  if (shown.retryAfter !== null) lines.push(`retry-after: ${shown.retryAfter}`);
  if (socket.writable) socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  else socket.destroy();
}

function vsnOf(query: URLSearchParams): Vsn {
  const vsn = query.get('vsn') ?? '1.0.0';
  if (isVsn(vsn)) return vsn;
  throw new MagError('MAG_BAD_REQUEST', { problem: `vsn ${vsn} is neither 1.0.0 nor 2.0.0` });
}

/**
 * Checks an upgrade request: the project, the key, the serializer. Throws MAG_PROJECT_NOT_FOUND, MAG_KEY_MISSING,
 * MAG_KEY_INVALID or MAG_BAD_REQUEST.
 */
export async function admit(
  ports: EdgePorts,
  identify: typeof principalOf,
  request: IncomingMessage,
  ref: string,
): Promise<Admission> {
  const { url = '' } = request;
  const mark = url.indexOf('?');
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
  const vsn = vsnOf(query);
  const handle = await ports.directory.find(ref);
  if (handle === null) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
  const header = request.headers.apikey;
  const bearer = bearerOf(request.headers.authorization);
  const apikey = query.get('apikey') ?? (typeof header === 'string' ? header : undefined) ?? bearer;
  identify(handle, apikey, undefined);
  return { handle, apikey: apikey ?? '', vsn };
}
