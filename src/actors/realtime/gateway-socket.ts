import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { LIMITS } from '../../limits.ts';
import type { Connection } from './connection.ts';
import type { ByteSink } from './outbox.ts';

const NOT_CONNECTED: ByteSink = { writableLength: 0, writable: false, write: () => false };

/** Where what happens on sockets goes; one for all of a gateway. */
export interface SocketListener {
  receive(connection: Connection, data: Buffer, isBinary: boolean): void;
  /** A frame broke the protocol or the size limit; `ws` closes the socket with the code for it. */
  broken(connection: Connection): void;
  /** The socket is closed, whoever closed it. */
  gone(connection: Connection): void;
}

/**
 * A server-side WebSocket that knows its connection, so that one set of listeners serves all sockets, and the raw
 * socket under it: `ws` parses, answers pings and closes; data frames go past it, many with one write.
 */
export class GatewaySocket extends WebSocket {
  byteSink: ByteSink = NOT_CONNECTED;
  connection: Connection | null = null;
  listener: SocketListener | null = null;

  /** Hands everything that arrives, and the end of the socket, to the listener. */
  attach(connection: Connection, listener: SocketListener): void {
    this.connection = connection;
    this.listener = listener;
    this.on('message', onMessage);
    this.on('ping', onPing);
    this.on('error', onError);
    this.on('close', onClose);
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  // The default binaryType is nodebuffer: each message is one Buffer.
  if (!(this instanceof GatewaySocket) || this.connection === null || !Buffer.isBuffer(data)) return;
  this.listener?.receive(this.connection, data, isBinary);
}

function onPing(this: WebSocket): void {
  if (this instanceof GatewaySocket && this.connection !== null) this.connection.quiet = 0;
}

function onError(this: WebSocket): void {
  if (this instanceof GatewaySocket && this.connection !== null) this.listener?.broken(this.connection);
}

function onClose(this: WebSocket): void {
  if (this instanceof GatewaySocket && this.connection !== null) this.listener?.gone(this.connection);
}

/** Upgrades one request. Calls back once, with the open socket; a bad handshake is answered by `ws` itself. */
export function newUpgrader() {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: LIMITS.frameBytes,
    WebSocket: GatewaySocket,
  });
  return (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    opened: (socket: GatewaySocket) => void,
  ): void => {
    server.handleUpgrade(request, socket, head, (upgraded) => {
      upgraded.byteSink = socket;
      opened(upgraded);
    });
  };
}
