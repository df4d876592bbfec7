import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import type { EdgePorts } from '../../src/actors/edge/ports.ts';
import { toPublic } from '../../src/actors/gate/faults.ts';
import { refuseUpgrade } from '../../src/actors/gate/upgrades.ts';
import {
  createRealtime,
  type RealtimeDeps,
  type RealtimeGateway,
} from '../../src/actors/realtime/gateway.ts';
import { SERVICE_KEY } from './edge-ports.ts';

export interface RealtimeServer {
  readonly gateway: RealtimeGateway;
  readonly server: Server;
  /** `http://127.0.0.1:PORT`, to which clients add `/p/REF`. */
  readonly url: string;
  close(): Promise<void>;
}

/** A gateway behind a bare HTTP server whose upgrades go where the gate would send them. */
export async function startRealtime(ports: EdgePorts, deps?: RealtimeDeps): Promise<RealtimeServer> {
  const gateway = createRealtime(ports, deps);
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket, head) => {
    const ref = /^\/p\/([^/]+)\/realtime\/v1\/websocket/.exec(request.url ?? '')?.[1];
    if (ref === undefined) socket.destroy();
    else
      gateway
        .handleUpgrade(request, socket, head, ref)
        .catch((error: unknown) => refuseUpgrade(socket, 'test', toPublic(error, ports.log, 'test')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    gateway,
    server,
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      await gateway.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Frame {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: assertions reach into what the server sent
  readonly payload: any;
}

export const socketUrl = (server: RealtimeServer, ref: string, key: string, vsn = '2.0.0'): string =>
  `${server.url.replace('http', 'ws')}/p/${ref}/realtime/v1/websocket?apikey=${key}&vsn=${vsn}`;

/** A Phoenix client in the raw: sends arrays, keeps every frame, waits for the one it is asked for. */
export class PhoenixClient {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  readonly binary: Buffer[] = [];
  closed: { code: number; reason: string } | null = null;
  #ref = 0;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.binary.push(data);
      else this.frames.push(PhoenixClient.parse(data.toString()));
      for (const check of [...this.#waiting]) check();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      for (const check of [...this.#waiting]) check();
    });
    socket.on('error', () => {});
  }

  static parse(text: string): Frame {
    const frame = JSON.parse(text);
    if (!Array.isArray(frame)) return { joinRef: frame.join_ref, ...frame };
    const [joinRef, ref, topic, event, payload] = frame;
    return { joinRef, ref, topic, event, payload };
  }

  static async open(
    server: RealtimeServer,
    ref: string,
    options: { readonly key?: string; readonly vsn?: string } = {},
  ): Promise<PhoenixClient> {
    const socket = new WebSocket(socketUrl(server, ref, options.key ?? SERVICE_KEY, options.vsn));
    const client = new PhoenixClient(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return client;
  }

  /** Sends a message and waits for its reply. */
  async ask(topic: string, event: string, payload: object, joinRef: string | null = null): Promise<Frame> {
    const ref = this.send(topic, event, payload, joinRef);
    return await this.waitFor((frame) => frame.event === 'phx_reply' && frame.ref === ref);
  }

  send(topic: string, event: string, payload: object, joinRef: string | null = null): string {
    this.#ref += 1;
    const ref = String(this.#ref);
    this.socket.send(JSON.stringify([joinRef, ref, topic, event, payload]));
    return ref;
  }

  /** Joins with a config; the reply, whatever its status. The join reference is the reply's `joinRef`. */
  async join(topic: string, config: object = {}, accessToken?: string): Promise<Frame> {
    this.#ref += 1;
    const ref = String(this.#ref);
    const payload = { config, ...(accessToken === undefined ? {} : { access_token: accessToken }) };
    this.socket.send(JSON.stringify([ref, ref, topic, 'phx_join', payload]));
    return await this.waitFor((frame) => frame.event === 'phx_reply' && frame.ref === ref);
  }

  waitFor(wanted: (frame: Frame) => boolean): Promise<Frame> {
    return this.until(() => this.frames.find(wanted));
  }

  /** Waits until a look at what came gives something. */
  until<Found>(look: () => Found | undefined | null | false): Promise<Found> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = look();
        if (found === undefined || found === null || found === false) return;
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }

  events(event: string, topic?: string): Frame[] {
    return this.frames.filter(
      (frame) => frame.event === event && (topic === undefined || frame.topic === topic),
    );
  }

  whenClosed(): Promise<{ code: number; reason: string }> {
    return this.until(() => this.closed);
  }

  /** Everything the server sent before now has arrived once this resolves. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    await this.ask('phoenix', 'heartbeat', {});
  }

  close(): void {
    this.socket.terminate();
  }
}
