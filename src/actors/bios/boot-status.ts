import { createActor } from 'xstate';
import { describeError } from '../../errors.ts';
import type { BoardStatus, BootStage, ComponentHealth } from '../../protocol/board-status.ts';
import type { Log } from '../../runtime/log.ts';
import type { BootComponent } from './boot-plan.ts';
import { type BootEvent, boardStatus, bootMachine } from './machine.ts';

/** The board's state as everybody else sees it. */
export interface BoardState {
  status(): BoardStatus;
  /** Called after each change. Returns how to stop. */
  subscribe(listener: (status: BoardStatus) => void): () => void;
  /** A component's health changed after boot: its supervisor restarts it, or it came back. */
  report(name: string, status: ComponentHealth['status'], detail: string | null): void;
}

/** Runs the boot statechart and keeps the status that follows from it. */
export class BootStatus implements BoardState {
  readonly #actor;
  readonly #listeners = new Set<(status: BoardStatus) => void>();
  #stage: BootStage = 'self_test';
  #status: BoardStatus;

  constructor(components: readonly BootComponent[], log: Log) {
    const initial = components.map(
      ({ name, stage, optional }): ComponentHealth => ({
        name,
        stage,
        optional,
        status: 'starting',
        detail: null,
      }),
    );
    this.#actor = createActor(bootMachine, { input: { components: initial } });
    this.#status = { status: 'booting', stage: 'self_test', components: initial };
    this.#actor.subscribe(({ value, context }) => {
      this.#status = boardStatus(value, context, this.#stage);
      if (this.#status.stage !== 'ready') this.#stage = this.#status.stage;
      for (const listener of this.#listeners) {
        try {
          listener(this.#status);
        } catch (error) {
          log.error({ error: describeError(error) }, 'a listener to the board status threw');
        }
      }
    });
    this.#actor.start();
  }

  status(): BoardStatus {
    return this.#status;
  }

  subscribe(listener: (status: BoardStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  report(name: string, status: ComponentHealth['status'], detail: string | null): void {
    const known = this.#status.components.find((component) => component.name === name);
    if (known === undefined || (known.status === status && known.detail === detail)) return;
    this.send({ type: 'COMPONENT_CHANGED', health: { ...known, status, detail } });
  }

  send(event: BootEvent): void {
    this.#actor.send(event);
  }
}
