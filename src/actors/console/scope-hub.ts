import { describeError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { ActorNode, LifecycleEvent } from '../../protocol/actor-node.ts';
import { diffTrees, flattenTree, type ScopeChange, type ScopeTree } from '../../protocol/scope-tree.ts';
import type { Timer } from '../../runtime/host.ts';
import type { Message } from '../../runtime/spec.ts';
import type { ActorSystem, SendResult } from '../../runtime/system.ts';
import type { ScopePush, ScopeReply } from './messages.ts';

export interface ScopeHubPorts {
  readonly system: Pick<ActorSystem, 'host' | 'log' | 'tree' | 'onLifecycle'>;
  /** Sends to the edge's actor; `dead` ends that edge's subscription. */
  readonly send: (path: string, message: ScopePush) => SendResult | undefined;
}

export interface ScopeHub {
  /** Answers SCOPE_OPEN, SCOPE_CREDIT and SCOPE_CLOSE; undefined for any other message. */
  handle(message: Message): ScopeReply | undefined;
  /** Counters for the metrics; `skipped` are frames a subscriber without credit did not get. */
  stats(): { readonly subscribers: number; readonly sent: number; readonly skipped: number };
  close(): void;
}

interface Subscriber {
  readonly path: string;
  readonly id: string;
  seq: number;
  credit: number;
  /** Whether it holds the hub's latest tree; if not, it gets nothing before a snapshot. */
  primed: boolean;
  /** Asked for a snapshot, though it may hold the tree. */
  refresh: boolean;
  seenAt: number;
}

/** Without its own number and time, which are each subscriber's. */
type Body =
  | { readonly type: 'snapshot'; readonly tree: ActorNode }
  | { readonly type: 'delta'; readonly upsert: ScopeChange['upsert']; readonly gone: readonly string[] }
  | { readonly type: 'event'; readonly event: LifecycleEvent };

/**
 * Watches the actor tree while somebody looks, and tells each edge worker what changed: a snapshot, then deltas
 * and lifecycle events. Without a subscriber it holds no tree, no timer and no listener.
 *
 * Nothing is queued for a slow subscriber: without credit it misses frames, and starts over from a snapshot.
 */
class Hub implements ScopeHub {
  readonly #ports: ScopeHubPorts;
  readonly #subscribers = new Map<string, Subscriber>();
  #sent = 0;
  #skipped = 0;
  #held: ScopeTree | null = null;
  #timer: { readonly pending: Timer; readonly due: number } | null = null;
  #taking = false;
  #lookedAt = 0;
  #unlisten: (() => void) | null = null;

  constructor(ports: ScopeHubPorts) {
    this.#ports = ports;
  }

  handle(message: Message): ScopeReply | undefined {
    const { type, path, id, frames, refresh } = message;
    if (typeof path !== 'string' || typeof id !== 'string') return undefined;
    if (type === 'SCOPE_OPEN') return this.#open(path, id);
    if (type !== 'SCOPE_CREDIT' && type !== 'SCOPE_CLOSE') return undefined;
    const subscriber = this.#subscribers.get(path);
    if (subscriber === undefined || subscriber.id !== id) return { known: false };
    if (type === 'SCOPE_CLOSE') this.#drop(subscriber);
    else this.#credit(subscriber, Number(frames) || 0, refresh === true);
    return { known: true };
  }

  stats(): { readonly subscribers: number; readonly sent: number; readonly skipped: number } {
    return { subscribers: this.#subscribers.size, sent: this.#sent, skipped: this.#skipped };
  }

  close(): void {
    this.#subscribers.clear();
    this.#rest();
  }

  #open(path: string, id: string): ScopeReply {
    const seenAt = this.#ports.system.host.now();
    this.#subscribers.set(path, {
      path,
      id,
      seq: 0,
      credit: LIMITS.scopeFrames,
      primed: false,
      refresh: false,
      seenAt,
    });
    this.#unlisten ??= this.#ports.system.onLifecycle((event) => this.#onEvent(event));
    this.#schedule(0);
    return { known: true };
  }

  #credit(subscriber: Subscriber, frames: number, refresh: boolean): void {
    subscriber.seenAt = this.#ports.system.host.now();
    subscriber.credit = Math.min(LIMITS.scopeFrames, subscriber.credit + frames);
    if (!refresh) return;
    subscriber.refresh = true;
    this.#schedule(0);
  }

  #drop(subscriber: Subscriber): void {
    if (this.#subscribers.get(subscriber.path) === subscriber) this.#subscribers.delete(subscriber.path);
    if (this.#subscribers.size === 0) this.#rest();
  }

  #push(to: Subscriber, body: Body): void {
    if (to.credit <= 0) {
      this.#skip(to);
      return;
    }
    to.credit -= 1;
    to.seq += 1;
    const at = new Date(this.#ports.system.host.wallTime()).toISOString();
    const result = this.#ports.send(to.path, {
      type: 'SCOPE_FRAME',
      id: to.id,
      frame: { ...body, seq: to.seq, at },
    });
    if (result === 'dead') {
      this.#drop(to);
      return;
    }
    if (result === 'rejected') {
      this.#skip(to);
      return;
    }
    this.#sent += 1;
    if (body.type !== 'snapshot') return;
    to.primed = true;
    to.refresh = false;
  }

  #skip(subscriber: Subscriber): void {
    subscriber.primed = false;
    this.#skipped += 1;
  }

  #onEvent(event: LifecycleEvent): void {
    for (const subscriber of [...this.#subscribers.values()]) {
      if (subscriber.primed) this.#push(subscriber, { type: 'event', event });
      else if (subscriber.seq > 0) this.#skipped += 1;
    }
    // At once where the last look is long enough ago: the tree should not lag behind what the event said.
    this.#schedule(Math.max(0, this.#lookedAt + LIMITS.scopeIntervalMs - this.#ports.system.host.now()));
  }

  /** Makes the next look happen no later than this. */
  #schedule(delayMs: number): void {
    if (this.#subscribers.size === 0) return;
    const { host } = this.#ports.system;
    const due = host.now() + delayMs;
    if (this.#timer !== null) {
      if (this.#timer.due <= due) return;
      host.clearTimer(this.#timer.pending);
    }
    this.#timer = { due, pending: host.setTimer(delayMs, () => void this.#look()) };
  }

  async #look(): Promise<void> {
    this.#timer = null;
    if (this.#taking) return;
    this.#taking = true;
    this.#lookedAt = this.#ports.system.host.now();
    let moved = false;
    try {
      const tree = await this.#ports.system.tree();
      if (this.#subscribers.size > 0) moved = this.#publish(tree);
    } catch (error) {
      this.#ports.system.log.warn({ error: describeError(error) }, 'the actor tree could not be read');
    } finally {
      this.#taking = false;
    }
    this.#schedule(moved ? LIMITS.scopeIntervalMs : LIMITS.scopeQuietMs);
  }

  /** Gives everybody the tree as it is now. Returns whether it differs from the last one. */
  #publish(tree: ActorNode): boolean {
    const flat = flattenTree(tree);
    const change = this.#held === null ? null : diffTrees(this.#held, flat);
    this.#held = flat;
    const quiet = change !== null && change.upsert.length === 0 && change.gone.length === 0;
    const expired = this.#ports.system.host.now() - LIMITS.scopeLeaseMs;
    for (const subscriber of [...this.#subscribers.values()]) {
      if (subscriber.seenAt < expired) this.#drop(subscriber);
      else if (!subscriber.primed || subscriber.refresh || change === null) {
        this.#push(subscriber, { type: 'snapshot', tree });
      } else if (!quiet) this.#push(subscriber, { type: 'delta', ...change });
    }
    return !quiet;
  }

  #rest(): void {
    if (this.#timer !== null) this.#ports.system.host.clearTimer(this.#timer.pending);
    this.#timer = null;
    this.#unlisten?.();
    this.#unlisten = null;
    this.#held = null;
  }
}

export const createScopeHub = (ports: ScopeHubPorts): ScopeHub => new Hub(ports);
