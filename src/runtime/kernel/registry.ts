import type { ErrorCode } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { SendResult } from '../system.ts';
import type { Cell } from './cell.ts';
import type { Delivery } from './mailbox.ts';
import { Services } from './services.ts';

/** `a/b/c`, `a/b`, `a`. */
function* selfAndAbove(path: string): Generator<string> {
  for (let current = path; current !== ''; ) {
    yield current;
    const cut = current.lastIndexOf('/');
    current = cut === -1 ? '' : current.slice(0, cut);
  }
}

/** Both together stay within the integers that a number holds exactly. */
const INCARNATIONS_PER_EPOCH = 2 ** 25;
const EPOCHS = 2 ** 28;

export const isWithin = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/** Who holds which path in this thread, and the messages that wait for a path which is being restarted. */
export class Registry {
  readonly services = new Services();
  readonly #cells = new Map<string, Cell>();
  readonly #vacant = new Set<string>();
  readonly #parked = new Map<string, Delivery[]>();
  readonly #redeliver: (delivery: Delivery) => void;
  readonly #bury: (delivery: Delivery, code: ErrorCode) => void;
  readonly #onRelease: (path: string) => void;
  #parkedCount = 0;
  #incarnations = 0;

  constructor(
    redeliver: (delivery: Delivery) => void,
    bury: (delivery: Delivery, code: ErrorCode) => void,
    onRelease: (path: string) => void,
  ) {
    this.#redeliver = redeliver;
    this.#bury = bury;
    this.#onRelease = onRelease;
  }

  /** Below a mount: apart from the numbers of every other thread, and of the threads that were mounted here before. */
  startEpoch(epoch: number): void {
    this.#incarnations = (epoch % EPOCHS) * INCARNATIONS_PER_EPOCH;
  }

  /** Goes on where the thread was that a subtree came from. */
  continueFrom(incarnation: number): void {
    this.#incarnations = incarnation;
  }

  /** Unique in this thread, so that no two incarnations of a path ever share an address. */
  nextIncarnation(): number {
    this.#incarnations += 1;
    return this.#incarnations;
  }

  get parked(): number {
    return this.#parkedCount;
  }

  add(cell: Cell): void {
    if (this.#vacant.size > 0) this.#vacant.delete(cell.path);
    this.#cells.set(cell.path, cell);
  }

  remove(cell: Cell): void {
    if (this.#cells.get(cell.path) === cell) this.#cells.delete(cell.path);
    // What it was bringing back below itself now depends on whether it comes back.
    if (this.#vacant.size === 0 || cell.spec.behaviour.kind !== 'supervisor') return;
    for (const path of this.#vacant)
      if (path !== cell.path && isWithin(path, cell.path)) this.#vacant.delete(path);
  }

  find(path: string): Cell | undefined {
    return this.#cells.get(path);
  }

  get size(): number {
    return this.#cells.size;
  }

  cells(): IterableIterator<Cell> {
    return this.#cells.values();
  }

  /** The remote mount of this thread under which the path lies. */
  mountAbove(path: string): Cell | undefined {
    for (const prefix of selfAndAbove(path)) {
      const cell = this.#cells.get(prefix);
      if (cell !== undefined) return cell.spec.behaviour.kind === 'remote' ? cell : undefined;
    }
    return undefined;
  }

  /** The path is not held now, and somebody is bringing it (or what it lies under) back, or has still to decide. */
  awaited(path: string): boolean {
    for (const prefix of selfAndAbove(path)) {
      if (this.#vacant.has(prefix)) return true;
      const cell = this.#cells.get(prefix);
      if (cell !== undefined) return !cell.live || cell.closing || cell.status === 'starting';
    }
    return false;
  }

  /** Messages for exactly this path wait: later ones, also for an actor that starts there, wait behind them. */
  hasParked(path: string): boolean {
    return this.#parkedCount > 0 && this.#parked.has(path);
  }

  /** The path will be held again: messages for it wait. */
  vacate(path: string): void {
    this.#vacant.add(path);
  }

  /** The path will not be held again: what waited for it is told. */
  release(path: string): void {
    this.#vacant.delete(path);
    this.#onRelease(path);
    if (this.#parkedCount === 0) return;
    for (const delivery of this.#take(path)) this.#bury(delivery, 'MAG_COMPONENT_UNAVAILABLE');
  }

  /** The path is held again: what waited for it, or for something below it, is handed on in its order. */
  settle(path: string): void {
    if (this.#parkedCount === 0) return;
    for (const delivery of this.#take(path)) this.#redeliver(delivery);
  }

  park(delivery: Delivery): SendResult {
    if (this.#parkedCount >= LIMITS.parkedMessages) {
      this.#bury(delivery, 'MAG_COMPONENT_UNAVAILABLE');
      return 'rejected';
    }
    const waiting = this.#parked.get(delivery.to);
    if (waiting === undefined) this.#parked.set(delivery.to, [delivery]);
    else waiting.push(delivery);
    this.#parkedCount += 1;
    return 'sent';
  }

  #take(path: string): readonly Delivery[] {
    const taken: Delivery[] = [];
    for (const [to, waiting] of this.#parked) {
      if (!isWithin(to, path)) continue;
      this.#parked.delete(to);
      this.#parkedCount -= waiting.length;
      // An ask whose deadline passed while it waited was answered by its timer.
      for (const delivery of waiting) if (delivery.ask?.settled !== true) taken.push(delivery);
    }
    return taken;
  }
}
