import { MagError } from '../../errors.ts';
import { isValid } from '../kernel/carried.ts';
import type { Cell } from '../kernel/cell.ts';
import { CellContext } from '../kernel/context.ts';
import type { Delivery } from '../kernel/mailbox.ts';
import { resumed } from '../kernel/resumed.ts';
import { IGNORE, type LightLogic, type Message } from '../spec.ts';
import type { Actor } from './actor.ts';

/** Where nothing was kept yet. */
const NOTHING: unique symbol = Symbol('nothing');

/**
 * A function over state, without a statechart: the cheapest actor there is. It is its own context: one object fewer for
 * each of a hundred thousand.
 */
export class LightActor extends CellContext implements Actor {
  readonly #logic: LightLogic<unknown>;
  /** Whether its state may be carried over. */
  readonly #keeps: boolean;
  #state: unknown = NOTHING;
  #lastValid: unknown = NOTHING;

  constructor(cell: Cell, logic: LightLogic<unknown>) {
    super(cell);
    this.#logic = logic;
    this.#keeps = cell.spec.state !== undefined;
  }

  start(): void {
    const { spec } = this.cell;
    const input = spec.behaviour.kind === 'light' ? spec.behaviour.input : undefined;
    const carried = resumed(this.cell);
    const state =
      carried === null
        ? this.#logic.init(input, this)
        : this.#logic.resume === undefined
          ? carried.state
          : this.#logic.resume(carried.state, this);
    if (state === IGNORE) {
      this.cell.ignore();
      return;
    }
    this.#state = this.#settled(state);
    // It ended in its own start: what that made is freed.
    if (!this.cell.live) this.stop();
    this.#noteValid(state);
  }

  receive(message: Message, delivery: Delivery | null): void {
    const ask = delivery === null ? null : delivery.ask;
    const given = ask === null ? message : ask.question(message);
    const state = this.#logic.receive(this.#state, given, this);
    this.#state = this.#settled(state);
    if (this.#keeps) this.#noteValid(state);
  }

  stop(): void {
    if (this.#state !== NOTHING) this.#logic.stop?.(this.#state);
  }

  abandon(): void {
    this.stop();
  }

  kill(): void {}

  /** The state that the last handled message left; under `last_valid` the last one that was valid. */
  snapshot(): { readonly state: unknown } | null {
    const options = this.cell.spec.state;
    const last = typeof options === 'object' && options.keep === 'last_valid' ? this.#lastValid : this.#state;
    return last === NOTHING ? null : { state: last };
  }

  capture(): { readonly value: unknown } | null {
    return this.#state === NOTHING ? null : { value: this.#state };
  }

  state(): string {
    return this.#state === NOTHING ? 'starting' : 'running';
  }

  /** A promise as a state is an async function where none may be: its rejection would be nobody's. */
  #settled(state: unknown): unknown {
    if (!(state instanceof Promise)) return state;
    state.catch(() => {});
    throw new MagError('MAG_LOGIC_ASYNC', { path: this.cell.path });
  }

  #noteValid(state: unknown): void {
    const options = this.cell.spec.state;
    if (typeof options !== 'object' || options.keep !== 'last_valid') return;
    if (isValid(options, state)) this.#lastValid = state;
  }
}
