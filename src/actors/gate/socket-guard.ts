import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { LIMITS } from '../../limits.ts';
import type { GateMetrics } from './gate-metrics.ts';

/**
 * Keeps sockets that never finish a request from taking the board away. A new socket is half-open until its first
 * request has arrived whole; half-open ones are bounded and the oldest gives way to the newest, so that an attacker
 * who holds thousands only ever pushes out his own. Node's headers and request timeouts end what is left.
 */
export class SocketGuard {
  readonly #halfOpen = new Set<Socket>();
  readonly #open = new Set<Socket>();
  readonly #metrics: GateMetrics;
  readonly #halfOpenLimit: number;
  readonly #limit: number;
  readonly #now: () => number;
  #makeRoom: () => void = () => {};
  #madeRoom = Number.NEGATIVE_INFINITY;

  /** `edges`: how many edge workers share the limits of LIMITS. `now`: the host's clock, milliseconds. */
  constructor(metrics: GateMetrics, edges: number, now: () => number) {
    this.#metrics = metrics;
    this.#now = now;
    this.#halfOpenLimit = Math.max(1, Math.floor(LIMITS.halfOpenSockets / edges));
    this.#limit = Math.max(1, Math.floor(LIMITS.connections / edges));
  }

  get sockets(): number {
    return this.#open.size;
  }

  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  /** `makeRoom` closes connections that are idle between two requests. */
  onFull(makeRoom: () => void): void {
    this.#makeRoom = makeRoom;
  }

  accept(socket: Socket): void {
    if (this.#open.size >= this.#limit && !this.#evictOldest()) {
      this.#refuse(socket);
      return;
    }
    this.#open.add(socket);
    this.#halfOpen.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#halfOpen.delete(socket);
    });
    if (this.#halfOpen.size > this.#halfOpenLimit) this.#evictOldest();
  }

  /** A request's head arrived. With a body to come, the socket stays half-open until that is here too. */
  headed(request: IncomingMessage): void {
    const { socket, headers } = request;
    if (!this.#halfOpen.has(socket)) return;
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
      this.#halfOpen.delete(socket);
    } else {
      request.once('end', () => this.#halfOpen.delete(socket));
    }
  }

  /** The socket speaks another protocol from here on; its handler bounds it. */
  upgraded(socket: Socket): void {
    this.#halfOpen.delete(socket);
  }

  /** Sockets whose request has not arrived whole. */
  destroyHalfOpen(): void {
    for (const socket of this.#halfOpen) socket.destroy();
  }

  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Turns one away, and sees to it that the next ones find room: idle connections are nobody's right. */
  #refuse(socket: Socket): void {
    this.#metrics.refused += 1;
    socket.destroy();
    if (this.#now() - this.#madeRoom < LIMITS.socketCheckMs) return;
    this.#madeRoom = this.#now();
    this.#makeRoom();
  }

  #evictOldest(): boolean {
    const oldest = this.#halfOpen.values().next();
    if (oldest.done === true) return false;
    this.#halfOpen.delete(oldest.value);
    this.#metrics.halfOpenEvicted += 1;
    oldest.value.destroy();
    return true;
  }
}
