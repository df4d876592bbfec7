import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import { CLOSE, type CloseReason } from '../../protocol/realtime-wire.ts';
import { sleep, type Timer } from '../../runtime/host.ts';
import type { EdgePorts, RelayMessage } from '../edge/ports.ts';
import { visible } from '../psu/access.ts';
import { type Identify, principalOf } from '../psu/project-key-check.ts';
import { broadcastInto, broadcastRelayed } from './broadcast.ts';
import { Connection } from './connection.ts';
import type { GatewayContext } from './context.ts';
import { type Counters, newCounters } from './counters.ts';
import { type GatewaySocket, newUpgrader, type SocketListener } from './gateway-socket.ts';
import { endUnauthorised, receive } from './inbound.ts';
import { Flusher } from './outbox.ts';
import { Presence } from './presence.ts';
import { Project } from './project.ts';
import { type Admission, admit } from './upgrade.ts';

export interface RealtimeDeps {
  /** Default: psu's. */
  readonly visible?: typeof visible;
  /** Default: psu's. */
  readonly principalOf?: Identify;
  /** Default LIMITS.socketsPerProject; the board divides it among its edge workers. */
  readonly socketsPerProject?: number;
}

export interface RealtimeStats extends Counters {
  readonly sockets: number;
  readonly channels: number;
  readonly topics: number;
  /** Groups of channels that share changes. */
  readonly groups: number;
}

export interface RealtimeGateway {
  /** Takes over an upgrade request to a project's websocket path; rejects with why it is refused. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, ref: string): Promise<void>;
  /**
   * A broadcast from REST, to every edge worker; `topic` without its prefix. `payload`: valid JSON text, or bytes.
   * Throws MAG_FRAME_INVALID for bytes under an event longer than 255 bytes.
   */
  broadcast(
    ref: string,
    topic: string,
    event: string,
    payload: string | Uint8Array,
    options?: { readonly isPrivate?: boolean },
  ): void;
  stats(): RealtimeStats;
  /** Refuses new sockets, closes all with 1001, and waits until they are gone, or LIMITS.socketCloseMs are over. */
  drain(): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Sweeps per silence timeout: a socket is closed after that many in which it said nothing. */
const SWEEPS = 4;

class Gateway implements RealtimeGateway {
  readonly #ports: EdgePorts;
  readonly #context: GatewayContext;
  readonly #projects = new Map<string, Project>();
  /** Every socket until it is closed, also those that only wait for the peer's close frame. */
  readonly #sockets = new Set<Connection>();
  readonly #upgrade = newUpgrader();
  readonly #listener: SocketListener;
  readonly #socketsPerProject: number;
  readonly #unsubscribe: () => void;
  #sweeper: Timer;
  #draining = false;
  #closed = false;

  constructor(ports: EdgePorts, deps: RealtimeDeps) {
    this.#ports = ports;
    const counters = newCounters();
    this.#context = {
      ports,
      counters,
      flusher: new Flusher(ports.host, counters),
      presence: new Presence(ports),
      see: deps.visible ?? visible,
      identify:
        deps.principalOf ??
        ((handle, apikey, bearer) => principalOf(handle, apikey, bearer, ports.host.wallTime())),
    };
    this.#listener = {
      receive: (connection, data, isBinary) => receive(this.#context, connection, data, isBinary),
      broken: () => {
        counters.framesInvalid += 1;
      },
      gone: (connection) => {
        this.#sockets.delete(connection);
        connection.gone();
      },
    };
    this.#socketsPerProject = deps.socketsPerProject ?? LIMITS.socketsPerProject;
    this.#unsubscribe = ports.directory.onChange((ref) => void this.#projectChanged(ref));
    ports.relay.onMessage((message) => this.#relayed(message));
    this.#sweeper = this.#nextSweep();
  }

  async handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, ref: string): Promise<void> {
    // Without a listener a peer that resets while its key is looked up would end the process.
    const onError = (): void => {
      socket.destroy();
    };
    socket.on('error', onError);
    try {
      const admission = await admit(this.#ports, this.#context.identify, request, ref);
      if (this.#draining) throw new MagError('MAG_DRAINING');
      this.#requireRoom(ref);
      if (socket.destroyed) return;
      socket.off('error', onError);
      this.#upgrade(request, socket, head, (opened) => this.#opened(opened, admission));
    } catch (error) {
      this.#context.counters.upgradesRefused += 1;
      throw error;
    }
  }

  broadcast(
    ref: string,
    topic: string,
    event: string,
    payload: string | Uint8Array,
    options: { readonly isPrivate?: boolean } = {},
  ): void {
    const project = this.#projects.get(ref) ?? null;
    const message = { topic, event, isPrivate: options.isPrivate === true };
    broadcastInto(this.#context, ref, project, message, payload);
  }

  stats(): RealtimeStats {
    let sockets = 0;
    let channels = 0;
    let topics = 0;
    let groups = 0;
    for (const project of this.#projects.values()) {
      sockets += project.connections.size;
      topics += project.topics.size;
      groups += project.changes.groups;
      for (const connection of project.connections) channels += connection.channels.size;
    }
    return { ...this.#context.counters, sockets, channels, topics, groups };
  }

  async drain(): Promise<void> {
    this.#draining = true;
    const waiting = [...this.#sockets].map((connection) => {
      connection.close(CLOSE.goingAway);
      return connection.whenGone();
    });
    const timeUp = new AbortController();
    // A client that is gone never answers: one of them would use up the time of all requests in flight.
    const limit = sleep(this.#ports.host, LIMITS.socketCloseMs, timeUp.signal).catch(() => {});
    await Promise.race([Promise.all(waiting), limit]);
    timeUp.abort();
    for (const connection of this.#sockets) connection.cut();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#draining = true;
    this.#unsubscribe();
    this.#ports.host.clearTimer(this.#sweeper);
    for (const connection of this.#sockets) connection.cut();
  }

  #requireRoom(ref: string): void {
    const held = this.#projects.get(ref)?.connections.size ?? 0;
    if (held >= this.#socketsPerProject) throw new MagError('MAG_RATE_LIMITED');
  }

  #opened(socket: GatewaySocket, admission: Admission): void {
    const { handle, vsn, apikey } = admission;
    let project = this.#projects.get(handle.ref);
    if (project === undefined) {
      project = new Project(this.#context, handle, (empty) => {
        if (this.#projects.get(empty.ref) === empty) this.#projects.delete(empty.ref);
      });
      this.#projects.set(handle.ref, project);
    }
    const connection = new Connection(this.#context, project, socket, vsn, project.intern(apikey));
    project.connections.add(connection);
    this.#sockets.add(connection);
    socket.attach(connection, this.#listener);
  }

  #relayed(message: RelayMessage): void {
    const project = this.#projects.get(message.ref) ?? null;
    if (message.kind === 'presence') this.#context.presence.hear(project, message);
    else if (project !== null) broadcastRelayed(this.#context, project, message);
  }

  /** Dropped: its sockets are closed. Keys rotated: those whose key no longer counts. */
  async #projectChanged(ref: string): Promise<void> {
    const project = this.#projects.get(ref);
    if (project === undefined) return;
    let handle: ProjectHandle | null;
    try {
      handle = await this.#ports.directory.find(ref);
    } catch (error) {
      this.#ports.log.warn({ ref, err: error }, 'a changed project could not be looked up');
      return;
    }
    if (handle !== null) project.handle = handle;
    for (const connection of [...project.connections]) {
      const reason = handle === null ? CLOSE.projectGone : this.#refusal(handle, connection);
      if (reason !== null) connection.close(reason);
    }
  }

  #refusal(handle: ProjectHandle, connection: Connection): CloseReason | null {
    try {
      this.#context.identify(handle, connection.apikey, undefined);
      return null;
    } catch {
      return CLOSE.keyRevoked;
    }
  }

  #nextSweep(): Timer {
    return this.#ports.host.setTimer(LIMITS.socketSilenceMs / SWEEPS, () => {
      this.#sweep();
      this.#sweeper = this.#nextSweep();
    });
  }

  #sweep(): void {
    const seconds = this.#ports.host.wallTime() / 1_000;
    for (const connection of this.#sockets) {
      connection.quiet += 1;
      if (connection.quiet > SWEEPS && !connection.closing) {
        this.#context.counters.silentSockets += 1;
        connection.close(CLOSE.silent);
      }
      for (const channel of [...connection.channels.values()]) {
        const { exp } = channel.principal.claims;
        if (typeof exp === 'number' && exp < seconds)
          endUnauthorised(channel, new MagError('MAG_KEY_INVALID'));
      }
    }
    this.#context.presence.sweep(this.#projects.values());
  }
}

/** The WebSocket side of one edge worker. */
export const createRealtime = (ports: EdgePorts, deps: RealtimeDeps = {}): RealtimeGateway =>
  new Gateway(ports, deps);
