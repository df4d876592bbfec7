import { describeError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { ScopeFrame } from '../../protocol/actor-node.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { Message } from '../../runtime/spec.ts';
import type { EdgePorts } from '../edge/ports.ts';
import type { ScopeClose, ScopeCredit, ScopeOpen, ScopeReply } from './messages.ts';

export interface ScopeClientPorts {
  readonly host: Host;
  readonly log: Log;
  /** Path of the actor in this thread that the hub sends frames to. */
  readonly path: string;
  /** Asks the hub. A rejection (the hub is down) is tried again. */
  readonly ask: (message: ScopeOpen | ScopeCredit) => Promise<ScopeReply>;
  readonly send: (message: ScopeClose) => void;
  /** Messages that reached the actor at `path`; those that are not SCOPE_FRAME are ignored here. */
  readonly onMessage: (listener: (message: Message) => void) => void;
}

type Listener = (frame: ScopeFrame) => void;

const isFrame = (message: Message, id: string): message is Message & { frame: ScopeFrame } =>
  message.type === 'SCOPE_FRAME' && message.id === id;

interface Upstream {
  readonly id: string;
  /** Frames since the last grant. */
  consumed: number;
  /** A listener joined since the last snapshot was asked for. */
  refresh: boolean;
  asking: boolean;
}

/**
 * MagScope as an edge worker sees it: at most one upstream to the hub, whatever the number of listeners, and none
 * while there is no listener. Each listener's first frame is a snapshot.
 */
class ScopeClient {
  readonly #ports: ScopeClientPorts;
  /** Whether the listener has had its first snapshot. */
  readonly #listeners = new Map<Listener, boolean>();
  #upstream: Upstream | null = null;
  #timer: Timer | null = null;

  constructor(ports: ScopeClientPorts) {
    this.#ports = ports;
    ports.onMessage((message) => this.#onMessage(message));
  }

  add(listener: Listener): () => void {
    // A wrapper of its own, so that one function may listen twice.
    const own: Listener = (frame) => listener(frame);
    this.#listeners.set(own, false);
    if (this.#upstream !== null) this.#upstream.refresh = true;
    if (this.#timer === null) this.#beat();
    else this.#renew();
    return () => this.#remove(own);
  }

  #remove(listener: Listener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    if (this.#timer !== null) this.#ports.host.clearTimer(this.#timer);
    this.#timer = null;
    if (this.#upstream !== null) {
      this.#ports.send({ type: 'SCOPE_CLOSE', path: this.#ports.path, id: this.#upstream.id });
    }
    this.#upstream = null;
  }

  #onMessage(message: Message): void {
    const upstream = this.#upstream;
    if (upstream === null || !isFrame(message, upstream.id)) return;
    upstream.consumed += 1;
    for (const [listener, primed] of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue;
      if (message.frame.type === 'snapshot') this.#listeners.set(listener, true);
      else if (!primed) continue;
      listener(message.frame);
    }
    if (upstream.consumed >= LIMITS.scopeFrames / 2) this.#renew();
  }

  #beat(): void {
    this.#renew();
    this.#timer = this.#ports.host.setTimer(LIMITS.scopeRenewMs, () => this.#beat());
  }

  /** Grants what was consumed, asks for a snapshot where one is wanted, and learns whether the hub still knows us. */
  #renew(): void {
    const upstream = this.#upstream;
    if (upstream === null) this.#open();
    else if (!upstream.asking) {
      const { id, consumed: frames, refresh } = upstream;
      upstream.consumed = 0;
      upstream.refresh = false;
      this.#ask(upstream, { type: 'SCOPE_CREDIT', path: this.#ports.path, id, frames, refresh });
    }
  }

  #open(): void {
    const id = Buffer.from(this.#ports.host.randomBytes(8)).toString('hex');
    this.#upstream = { id, consumed: 0, refresh: false, asking: false };
    this.#ask(this.#upstream, { type: 'SCOPE_OPEN', path: this.#ports.path, id });
  }

  #ask(upstream: Upstream, message: ScopeOpen | ScopeCredit): void {
    upstream.asking = true;
    this.#ports.ask(message).then(
      (reply) => {
        upstream.asking = false;
        if (this.#upstream !== upstream) return;
        if (!reply.known) this.#open();
        else if (upstream.refresh) this.#renew();
      },
      (error: unknown) => {
        this.#ports.log.debug({ error: describeError(error) }, 'the scope hub did not answer, trying again');
        // The next beat opens anew: whether the grant arrived is not known.
        if (this.#upstream === upstream) this.#upstream = null;
      },
    );
  }
}

/** Gives EdgePorts.scope of one edge worker. */
export function createScopeClient(ports: ScopeClientPorts): EdgePorts['scope'] {
  const client = new ScopeClient(ports);
  return (listener) => client.add(listener);
}
