import type { Actor } from './actor.ts';
import type { Cell } from './cell.ts';
import { CellContext } from './context.ts';
import type { Core } from './core.ts';
import type { Delivery } from './mailbox.ts';
import type { LightLogic } from './spec.ts';

/** A function over state, without a statechart: the cheapest actor there is. */
export class LightActor implements Actor {
  readonly #logic: LightLogic<unknown>;
  readonly #context: CellContext;
  readonly #input: unknown;
  #state: unknown;
  #started = false;

  constructor(core: Core, cell: Cell, logic: LightLogic<unknown>, input: unknown) {
    this.#logic = logic;
    this.#input = input;
    this.#context = new CellContext(core, cell);
  }

  start(): void {
    this.#state = this.#logic.init(this.#input, this.#context);
    this.#started = true;
  }

  receive(delivery: Delivery): void {
    this.#context.current = delivery.ask;
    try {
      this.#state = this.#logic.receive(this.#state, delivery.message, this.#context);
    } finally {
      this.#context.current = null;
    }
  }

  stop(): void {
    if (this.#started) this.#logic.stop?.(this.#state);
  }

  abandon(): void {
    this.stop();
  }

  kill(): void {}

  state(): string {
    return this.#started ? 'running' : 'starting';
  }
}
