import type { IncomingMessage, ServerResponse } from 'node:http';
import { TURN_LIMITS } from '../../limits-turns.ts';
import type { Host } from '../../runtime/host.ts';

/** Tells whether its client has gone. */
interface Leaving {
  readonly destroyed: boolean;
}

interface Waiting<Request, Response> {
  readonly request: Request;
  readonly response: Response;
}

/** What one project has begun in the current turn, and what of it waits. */
interface Share<Request, Response> {
  turn: number;
  begun: number;
  readonly waiting: Waiting<Request, Response>[];
}

export interface TurnStats {
  /** Requests that wait. */
  readonly waiting: number;
  /** Requests that waited for a later turn of the event loop, since the gate started. */
  readonly waited: number;
  /** Requests that were not let wait because too many of their project did. */
  readonly refused: number;
}

/**
 * Shares one thread between projects. Sockets that are ready are read in one go, so without it a request waits for
 * everything that a busy project has sent meanwhile. Each project begins a few requests in a turn of the event loop;
 * the rest waits, and waiting projects go one after the other, some in each later turn, between which sockets are read:
 * whoever sent little goes on at once. Nothing waits while the thread is idle.
 *
 * Turns are counted, not told: the next one is asked for only once as many requests have begun as one project may. So a
 * request that meets no others costs a look-up and two additions.
 */
export class ProjectTurns<Request = IncomingMessage, Response extends Leaving = ServerResponse> {
  readonly #host: Pick<Host, 'defer'>;
  readonly #begin: (request: Request, response: Response) => void;
  readonly #shares = new Map<string, Share<Request, Response>>();
  /** Those that have something waiting, the next one first. */
  #queue: Share<Request, Response>[] = [];
  #turn = 0;
  #begun = 0;
  #deferred = false;
  #waiting = 0;
  #waited = 0;
  #refused = 0;

  constructor(host: Pick<Host, 'defer'>, begin: (request: Request, response: Response) => void) {
    this.#host = host;
    this.#begin = begin;
  }

  /** Begins the request, now or in its turn; false where it may not even wait. */
  offer(ref: string, request: Request, response: Response): boolean {
    const share = this.#shares.get(ref) ?? this.#newShare(ref);
    if (share.waiting.length === 0 && this.#begunOf(share) < TURN_LIMITS.projectTurn) {
      this.#count(share);
      this.#begin(request, response);
      return true;
    }
    if (share.waiting.length >= TURN_LIMITS.projectWaiting) {
      this.#refused += 1;
      return false;
    }
    if (share.waiting.length === 0) this.#queue.push(share);
    share.waiting.push({ request, response });
    this.#waiting += 1;
    this.#waited += 1;
    return true;
  }

  stats(): TurnStats {
    return { waiting: this.#waiting, waited: this.#waited, refused: this.#refused };
  }

  #begunOf(share: Share<Request, Response>): number {
    if (share.turn !== this.#turn) {
      share.turn = this.#turn;
      share.begun = 0;
    }
    return share.begun;
  }

  #count(share: Share<Request, Response>): void {
    share.begun = this.#begunOf(share) + 1;
    this.#begun += 1;
    if (this.#begun === TURN_LIMITS.projectTurn) this.#defer();
  }

  #newShare(ref: string): Share<Request, Response> {
    if (this.#shares.size >= TURN_LIMITS.projects) this.#forgetIdle();
    const share: Share<Request, Response> = { turn: this.#turn, begun: 0, waiting: [] };
    this.#shares.set(ref, share);
    return share;
  }

  /** What waits is bounded by the sockets there are, and is kept. */
  #forgetIdle(): void {
    for (const [ref, { waiting }] of this.#shares) if (waiting.length === 0) this.#shares.delete(ref);
  }

  #defer(): void {
    if (this.#deferred) return;
    this.#deferred = true;
    this.#host.defer(this.#next);
  }

  readonly #next = (): void => {
    this.#deferred = false;
    this.#turn += 1;
    this.#begun = 0;
    while (this.#begun < TURN_LIMITS.projectTurn) {
      const share = this.#queue.shift();
      if (share === undefined) break;
      const { request, response } = share.waiting.shift() as Waiting<Request, Response>; // Only those with something are in the queue.
      if (share.waiting.length > 0) this.#queue.push(share);
      this.#waiting -= 1;
      // Who has gone meanwhile is answered by nobody, and takes nobody's turn.
      if (response.destroyed) continue;
      this.#count(share);
      this.#begin(request, response);
    }
    if (this.#queue.length > 0) this.#defer();
  };
}
