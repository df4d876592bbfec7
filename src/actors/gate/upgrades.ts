import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorBody, MagError, type PublicError } from '../../errors.ts';
import { splitProject } from './paths.ts';

/** What the gate knows of an upgrade when it hands it on. */
interface UpgradeRoute {
  readonly id: string;
  /** The project, for handlers under /p/REF. */
  readonly ref: string | null;
  /** Query string without its `?`. */
  readonly search: string;
}

/** Takes the socket over. Throwing (or rejecting) refuses the upgrade with that error's status and body. */
export type UpgradeHandler = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  route: UpgradeRoute,
) => void | Promise<void>;

/** Refuses an upgrade in plain HTTP and ends the socket. */
export function refuseUpgrade(socket: Duplex, id: string, error: PublicError): void {
  const body = JSON.stringify(errorBody(error));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? 'Refused'}`,
    'connection: close',
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    ...(error.retryAfter === null ? [] : [`retry-after: ${error.retryAfter}`]),
  ];
  if (socket.writable) socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  else socket.destroy();
}

const WEBSOCKET_KEY = /^[+/0-9A-Za-z]{22}==$/;

/** What RFC 6455 asks of an opening handshake: `ws` answers one that falls short in HTML, and without a request id. */
function requireHandshake({ method, headers }: IncomingMessage): void {
  const why =
    method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket'
      ? 'only WebSocket is upgraded to, with GET'
      : headers['sec-websocket-version'] !== '13'
        ? 'Sec-WebSocket-Version must be 13'
        : WEBSOCKET_KEY.test(headers['sec-websocket-key'] ?? '')
          ? null
          : 'Sec-WebSocket-Key is missing or malformed';
  if (why !== null) throw new MagError('MAG_BAD_REQUEST', { problem: why });
}

/** A handler's key: paths under a project are told from the board's own by their prefix. */
const boardKey = (path: string): string => `board ${path}`;
const projectKey = (path: string): string => `project ${path}`;

/** Which handler takes which upgrade, by path. */
export class Upgrades {
  readonly #handlers = new Map<string, UpgradeHandler>();

  /** `path`: one of the board's, `/admin/v1/scope`, or what follows /p/REF: `/realtime/v1/websocket`. */
  register(path: string, handler: UpgradeHandler): void {
    this.#handlers.set(path.startsWith('/admin/') ? boardKey(path) : projectKey(path), handler);
  }

  /** Throws MAG_NOT_FOUND where nobody takes it, MAG_BAD_REQUEST, or what its handler throws. */
  async dispatch(request: IncomingMessage, socket: Duplex, head: Buffer, id: string): Promise<void> {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const project = splitProject(path);
    const handler = this.#handlers.get(project === null ? boardKey(path) : projectKey(project.rest));
    if (handler === undefined) throw new MagError('MAG_NOT_FOUND', { path: path.slice(0, 200) });
    requireHandshake(request);
    const search = mark === -1 ? '' : url.slice(mark + 1);
    await handler(request, socket, head, { id, ref: project?.ref ?? null, search });
  }
}
