import type { AnyActorLogic, AnyActorRef } from 'xstate';
import type { Actor } from './actor.ts';
import type { Cell } from './cell.ts';
import type { Core } from './core.ts';
import type { Delivery } from './mailbox.ts';
import { stateText } from './xstate-root.ts';

/** Any XState actor logic as an actor: its error, from wherever inside it, is the actor's failure. */
export class MachineActor implements Actor {
  readonly #core: Core;
  readonly #cell: Cell;
  readonly #logic: AnyActorLogic;
  readonly #input: unknown;
  #actor: AnyActorRef | null = null;

  constructor(core: Core, cell: Cell, logic: AnyActorLogic, input: unknown) {
    this.#core = core;
    this.#cell = cell;
    this.#logic = logic;
    this.#input = input;
  }

  start(): void {
    const end = {
      done: () => this.#cell.finish(),
      failed: (error: unknown) => this.#cell.fail(error),
    };
    this.#actor = this.#core.xstate.create(this.#logic, this.#cell.address, this.#input, end);
    this.#actor.start();
  }

  /** An ask reaches the machine as its event with a `reply` function. */
  receive(delivery: Delivery): void {
    const { ask, message } = delivery;
    if (ask === null) this.#actor?.send(message);
    else this.#actor?.send({ ...message, reply: (value: unknown) => ask.resolve(value) });
  }

  stop(): void {
    this.kill();
  }

  abandon(): void {
    this.kill();
  }

  kill(): void {
    if (this.#actor !== null) this.#core.xstate.stop(this.#actor);
    this.#actor = null;
  }

  state(): string {
    const snapshot: unknown = this.#actor?.getSnapshot();
    if (typeof snapshot !== 'object' || snapshot === null) return 'stopped';
    if ('value' in snapshot) return stateText(snapshot.value);
    return 'status' in snapshot ? String(snapshot.status) : 'active';
  }
}
