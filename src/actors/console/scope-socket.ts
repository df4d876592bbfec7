import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { LIMITS } from '../../limits.ts';
import type { ScopeFrame } from '../../protocol/actor-node.ts';
import type { Timer } from '../../runtime/host.ts';
import type { EdgePorts } from '../edge/ports.ts';

export type ScopeSocketPorts = Pick<EdgePorts, 'host' | 'log' | 'scope'>;

export interface ScopeSocket {
  /** Takes over GET /admin/v1/scope. The caller has authenticated the request already. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  sockets(): number;
  /** Closes every socket with 1001; used by the drain. */
  close(): void;
}

/** Close codes of the scope, the same numbers as the realtime gateway's. */
const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;
const SLOW_CONSUMER = 3008;

/** MagScope over WebSocket: one JSON text frame per ScopeFrame, server to client; what the client says is ignored. */
export function createScopeSocket(ports: ScopeSocketPorts): ScopeSocket {
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1_024 });
  const open = new Set<WebSocket>();
  /** The same frame object reaches every socket of this thread: it is encoded once. */
  const encoded = new WeakMap<ScopeFrame, string>();

  const encode = (frame: ScopeFrame): string => {
    const known = encoded.get(frame);
    if (known !== undefined) return known;
    const text = JSON.stringify(frame);
    encoded.set(frame, text);
    return text;
  };

  /** Ends a socket also where the other side never answers the close. */
  const end = (socket: WebSocket, code: number, reason: string): void => {
    socket.close(code, reason);
    const cut = ports.host.setTimer(LIMITS.socketCloseMs, () => socket.terminate());
    socket.once('close', () => ports.host.clearTimer(cut));
  };

  const serve = (socket: WebSocket): void => {
    let alive = true;
    let pinger: Timer;
    const ping = (): void => {
      if (!alive) {
        socket.terminate();
        return;
      }
      alive = false;
      socket.ping();
      pinger = ports.host.setTimer(LIMITS.scopePingMs, ping);
    };
    pinger = ports.host.setTimer(LIMITS.scopePingMs, ping);
    open.add(socket);
    const leave = ports.scope((frame) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > LIMITS.outboxBytes) end(socket, SLOW_CONSUMER, 'too slow');
      else socket.send(encode(frame));
    });
    socket.on('pong', () => {
      alive = true;
    });
    socket.on('error', (error) => ports.log.debug({ error: error.message }, 'scope socket failed'));
    socket.on('close', () => {
      open.delete(socket);
      ports.host.clearTimer(pinger);
      leave();
    });
  };

  return {
    handleUpgrade: (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (accepted) => {
        if (open.size < LIMITS.scopeSockets) return serve(accepted);
        accepted.on('error', () => accepted.terminate());
        end(accepted, TRY_AGAIN_LATER, 'too many inspectors');
      });
    },
    sockets: () => open.size,
    close: () => {
      for (const socket of open) end(socket, GOING_AWAY, 'the board is stopping');
    },
  };
}
