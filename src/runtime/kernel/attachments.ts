import type { Host, Timer } from '../host.ts';
import type { Inlet } from '../placement/inlet.ts';
import type { Down, SendResult } from '../system.ts';
import { type Ask, orRejected } from './ask.ts';
import type { Cell } from './cell.ts';
import { Door } from './door.ts';
import { type Exit, exitReason, tellDown } from './exit.ts';
import type { Entry } from './mailbox.ts';
import { WaitingLine } from './waiting-line.ts';

/** A sender that waits for room in a mailbox. */
export interface Waiter {
  readonly entry: Entry;
  settle(result: SendResult): void;
}

/** A promise and its two ends. */
class Settlement<T> {
  resolve: (value: T) => void = () => {};
  reject: (error: unknown) => void = () => {};
  readonly promise: Promise<T>;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** What only some incarnations need: kept apart, so that an idle actor costs a few hundred bytes. */
export class Attachments {
  /** Asks that it took and has not answered. */
  readonly asks = new Set<Ask>();
  readonly watchers = new Set<(down: Down) => void>();
  readonly waiters = new WaitingLine<Waiter>();
  /** What links have brought beyond the mailbox. */
  door: Door | null = null;
  abort: AbortController | null = null;
  startTimer: Timer | null = null;
  drained: (() => void) | null = null;
  #ready: Settlement<void> | null = null;
  #ended: Settlement<Exit> | null = null;

  get ready(): Settlement<void> {
    if (this.#ready === null) {
      this.#ready = new Settlement();
      // Who does not wait for readiness learns of the failure from the end of the incarnation.
      this.#ready.promise.catch(() => {});
    }
    return this.#ready;
  }

  get ended(): Settlement<Exit> {
    this.#ended ??= new Settlement();
    return this.#ended;
  }

  /** Keeps an ask until it is settled. */
  hold(ask: Ask): void {
    this.asks.add(ask);
    ask.onSettled(() => this.asks.delete(ask));
  }

  /** Each call is a watch of its own, also with the same listener. */
  watch(listener: (down: Down) => void): () => void {
    const watcher = (down: Down): void => listener(down);
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** A sender waits for room; beyond `most` it is refused, so that what waits is bounded too. */
  wait(entry: Entry, ask: Ask, most: number): Promise<SendResult> {
    const result = orRejected(ask);
    if (this.waiters.size >= most) {
      ask.resolve('rejected');
      return result;
    }
    const waiter: Waiter = { entry, settle: (given) => ask.resolve(given) };
    this.waiters.add(waiter);
    ask.onSettled(() => this.waiters.delete(waiter));
    return result;
  }

  /** What the end of a message may mean for who waits: links and senders for room, a stop for the last one. */
  handled(cell: Cell): void {
    if (this.door !== null && cell.mailbox.depth * 2 <= cell.mailbox.capacity) this.#enter(this.door, cell);
    if (this.waiters.size > 0 && cell.live && !cell.mailbox.full) {
      const waiter = this.waiters.next();
      waiter?.settle(cell.accept(waiter.entry));
    }
    if (this.drained === null || cell.mailbox.depth > 0) return;
    const { drained } = this;
    this.drained = null;
    drained();
  }

  /** What came over a link goes into the mailbox, or waits at the door. */
  arrive(cell: Cell, inlet: Inlet, entry: Entry): void {
    const { mailbox } = cell;
    if (this.door === null && (!mailbox.full || mailbox.drops || !cell.live)) {
      cell.accept(entry);
      inlet.took();
      return;
    }
    this.door ??= new Door();
    this.door.add(entry, inlet);
  }

  markReady(): void {
    this.#ready?.resolve();
  }

  clearStartTimer(host: Host): void {
    if (this.startTimer !== null) host.clearTimer(this.startTimer);
    this.startTimer = null;
  }

  /** Its actor is gone: who waits for an answer or for room is told. */
  dismiss(cell: Cell, gone: () => unknown, lose: (entry: Entry) => void): void {
    this.abort?.abort();
    // A drain that this interrupts must not stop it a second time.
    this.drained = null;
    this.#ready?.reject(gone());
    for (const ask of [...this.asks]) ask.reject(gone());
    for (let waiter = this.waiters.next(); waiter !== undefined; waiter = this.waiters.next()) {
      lose(waiter.entry);
      waiter.settle('dead');
    }
    if (this.door !== null) this.#enter(this.door, cell);
  }

  tellEnd({ address, path, core }: Cell, exit: Exit): void {
    this.#ended?.resolve(exit);
    const down: Down = { address, path, reason: exitReason(exit) };
    const watchers = [...this.watchers];
    this.watchers.clear();
    for (const watcher of watchers) tellDown(core, watcher, down);
  }

  #enter(door: Door, cell: Cell): void {
    door.enter(cell);
    if (door.empty) this.door = null;
  }
}
