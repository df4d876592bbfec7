import type { AnyActorLogic, AnyActorRef, Snapshot } from 'xstate';
import { isValid } from '../kernel/carried.ts';
import type { Cell } from '../kernel/cell.ts';
import { CellContext } from '../kernel/context.ts';
import type { Delivery } from '../kernel/mailbox.ts';
import { resumed } from '../kernel/resumed.ts';
import type { Message } from '../spec.ts';
import type { Actor } from './actor.ts';
import { memoised } from './memo-transitions.ts';
import { rearmDelays } from './rearm-delays.ts';
import { type MachineEnd, stateText } from './xstate-root.ts';

/** Any XState actor logic as an actor: its error, from wherever inside it, is the actor's failure. */
export class MachineActor implements Actor, MachineEnd {
  readonly #cell: Cell;
  readonly #logic: AnyActorLogic;
  #actor: AnyActorRef | null = null;
  /** The last snapshot that may be carried over, where one is wanted. */
  #last: Snapshot<unknown> | null = null;

  constructor(cell: Cell, logic: AnyActorLogic) {
    this.#cell = cell;
    this.#logic = memoised(logic);
  }

  start(): void {
    const cell = this.#cell;
    const given: unknown = cell.spec.behaviour.kind === 'machine' ? cell.spec.behaviour.input : undefined;
    const input: unknown = typeof given === 'function' ? given(new CellContext(cell)) : given;
    const carried = resumed(cell);
    // It ended as its input was made: nobody would stop it.
    if (!cell.live) return;
    this.#actor = cell.core.xstate.create(this.#logic, cell.address, input, this, carried?.state);
    this.#actor.start();
    if (carried !== null) rearmDelays(this.#actor, this.#logic);
    if (cell.spec.state !== undefined) this.#note();
  }

  /** An ask reaches the machine as its event with a `reply` function. */
  receive(message: Message, delivery: Delivery | null): void {
    const actor = this.#actor;
    if (actor === null) return;
    // XState's own events stop, start and fail an actor, and are nobody's to send; one without a type makes it throw.
    if (typeof message.type !== 'string' || message.type.startsWith('xstate.')) {
      const { core, path } = this.#cell;
      core.bury(path, delivery ?? message, 'MAG_MESSAGE_INVALID', { path });
      return;
    }
    const ask = delivery === null ? null : delivery.ask;
    actor.send(ask === null ? message : ask.question(message));
    if (this.#cell.spec.state !== undefined) this.#note();
  }

  done(): void {
    this.#cell.finish();
  }

  failed(error: unknown): void {
    this.#cell.fail(error);
  }

  stop(): void {
    this.kill();
  }

  abandon(): void {
    this.kill();
  }

  kill(): void {
    if (this.#actor !== null) this.#cell.core.xstate.stop(this.#actor);
    this.#actor = null;
  }

  /** In XState's persisted form, which can cross a thread if the context can. */
  snapshot(): { readonly state: unknown } | null {
    return this.#last === null ? null : { state: this.#logic.getPersistedSnapshot(this.#last) };
  }

  /** Without its delayed transitions, which XState does not persist. */
  capture(): { readonly value: unknown } | null {
    return this.#actor === null ? null : { value: this.#actor.getPersistedSnapshot() };
  }

  state(): string {
    const snapshot: unknown = this.#actor?.getSnapshot();
    if (typeof snapshot !== 'object' || snapshot === null) return 'stopped';
    if ('value' in snapshot) return stateText(snapshot.value);
    return 'status' in snapshot ? String(snapshot.status) : 'active';
  }

  #note(): void {
    const options = this.#cell.spec.state;
    const snapshot: Snapshot<unknown> | undefined = this.#actor?.getSnapshot();
    if (typeof options !== 'object' || snapshot === undefined || snapshot.status !== 'active') return;
    if (options.keep === 'last' || isValid(options, this.#logic.getPersistedSnapshot(snapshot)))
      this.#last = snapshot;
  }
}
