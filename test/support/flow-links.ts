import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { MessageChannel } from 'node:worker_threads';
import { WebSocket, WebSocketServer } from 'ws';
import { nodeHost } from '../../src/runtime/host-node.ts';
import type { FlowLink } from '../../src/streams/link.ts';
import { portLink } from '../../src/streams/link-port.ts';
import { webSocketLink } from '../../src/streams/link-websocket.ts';

export const host = nodeHost();

/** Both ends of one connection. */
export interface LinkPair {
  readonly sender: FlowLink;
  readonly receiver: FlowLink;
  /** Sends something from the sender's side that is no frame of the protocol. */
  readonly sendRaw: (text: unknown) => void;
  /** The same from the receiver's side. */
  readonly answerRaw: (text: unknown) => void;
  /** Cuts the connection, so that both ends see it closed. */
  readonly cut: () => void;
}

/** What a contract suite makes its connections with; `close` ends those that are left. */
export interface LinkKind {
  readonly name: string;
  readonly open: () => Promise<LinkPair>;
  readonly close: () => Promise<void>;
}

export function portLinks(): LinkKind {
  const cuts: (() => void)[] = [];
  return {
    name: 'a message port',
    open: async () => {
      const { port1, port2 } = new MessageChannel();
      const cut = (): void => port1.close();
      cuts.push(cut);
      return {
        sender: portLink(port1),
        receiver: portLink(port2),
        sendRaw: (value) => port1.postMessage(value),
        answerRaw: (value) => port2.postMessage(value),
        cut,
      };
    },
    close: async () => {
      for (const cut of cuts.splice(0)) cut();
    },
  };
}

export function webSocketLinks(frameBytes?: number): LinkKind {
  let http: Server | null = null;
  let sockets: WebSocketServer | null = null;
  const clients: WebSocket[] = [];
  const options = frameBytes === undefined ? {} : { frameBytes };
  const listen = async (): Promise<number> => {
    if (http === null) {
      http = createServer();
      sockets = new WebSocketServer({ server: http });
      http.listen(0, '127.0.0.1');
      await once(http, 'listening');
    }
    return (http.address() as { port: number }).port;
  };
  return {
    name: 'a WebSocket',
    open: async () => {
      const client = new WebSocket(`ws://127.0.0.1:${await listen()}`);
      clients.push(client);
      // The client's link is made while it connects, the server's when it is there: each in its first turn.
      const receiver = webSocketLink(client, options);
      const [server] = (await once(sockets!, 'connection')) as [WebSocket];
      const raw = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
      return {
        sender: webSocketLink(server, options),
        receiver,
        sendRaw: (value) => server.send(value instanceof Uint8Array ? value : raw(value)),
        answerRaw: (value) => client.send(value instanceof Uint8Array ? value : raw(value)),
        cut: () => server.terminate(),
      };
    },
    close: async () => {
      for (const client of clients.splice(0)) client.terminate();
      sockets?.close();
      const server = http;
      http = null;
      if (server !== null) {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      }
    },
  };
}
