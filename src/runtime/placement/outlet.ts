import { LIMITS } from '../../limits.ts';
import type { Ask } from '../kernel/ask.ts';
import { WaitingLine } from '../kernel/waiting-line.ts';
import type { Down } from '../system.ts';
import type { Link } from './link.ts';

/** Somebody who waits until more may be under way to a target. */
export interface Waiting {
  /** More may go, or nobody is there any more. */
  go(): void;
}

/**
 * A target as its sender knows it: which link leads there, how much may be under way, and who waits for that. It is
 * bound to an incarnation, or late to whoever holds the path. A move gives it another link; nothing else of it changes.
 */
export class Outlet {
  readonly path: string;
  readonly late: boolean;
  /** Of the actor it is bound to, once the other end has told. */
  incarnation: number | null;
  link: Link;
  /** Its number on the link; 0 while the other end does not know it. */
  id = 0;
  /** Until the other end has told, what most mailboxes hold. */
  window: number = LIMITS.mailbox;
  /** An offer waits for room, as its mailbox's overflow says. */
  waits = true;
  inFlight = 0;
  /** The end of the incarnation it is bound to. */
  down: Down | null = null;
  readonly #waiting = new WaitingLine<Waiting>();
  readonly #watchers = new Set<(down: Down) => void>();

  constructor(link: Link, path: string, late: boolean, incarnation: number | null) {
    this.link = link;
    this.path = path;
    this.late = late;
    this.incarnation = incarnation;
  }

  get address(): string {
    return `${this.path}#${this.incarnation ?? '?'}`;
  }

  /** Whether another message may go. Who waits goes first. */
  get open(): boolean {
    return this.inFlight < this.window && this.#waiting.size === 0;
  }

  get idle(): boolean {
    return this.inFlight === 0 && this.#waiting.size === 0;
  }

  /** False where too many wait already. */
  wait(waiting: Waiting, ask: Ask | null): boolean {
    if (this.#waiting.size >= this.window) return false;
    this.#waiting.add(waiting);
    ask?.onSettled(() => this.#waiting.delete(waiting));
    return true;
  }

  watch(listener: (down: Down) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** So many found their place: who waits goes, in order. */
  credit(count: number): void {
    this.inFlight -= count;
    this.#drain();
  }

  resize(window: number): void {
    this.window = Math.max(1, window);
    this.#drain();
  }

  /** It leads over another link now, on which nothing is under way yet. */
  moveTo(link: Link): void {
    this.link = link;
    this.id = 0;
    this.inFlight = 0;
    this.#drain();
  }

  /** Nobody is there any more: who waits and who watches is told, once. */
  end(down: Down): void {
    if (this.down !== null) return;
    this.down = down;
    for (let first = this.#waiting.next(); first !== undefined; first = this.#waiting.next()) first.go();
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) this.link.tell(watcher, down);
  }

  #drain(): void {
    while (this.inFlight < this.window) {
      const first = this.#waiting.next();
      if (first === undefined) return;
      first.go();
    }
  }
}
