import type { MagError } from '../../errors.ts';
import type { Transport } from './transport.ts';
import type { WireError } from './wire-error.ts';

/** What a thread says when it is about to end by itself. */
export interface LastWords {
  readonly code: number;
  /** What nobody caught, where that is why. */
  readonly error: WireError | null;
}

/** A running thread or process that can hold a subtree. */
export interface Vessel {
  readonly pid: number;
  readonly transport: Transport;
  /** Message ports can be handed to it. */
  readonly takesPorts: boolean;
  /**
   * Resolves once, when it is gone, with why: MAG_WORKER_EXITED, MAG_WORKER_OUT_OF_MEMORY, MAG_WORKER_HUNG or
   * MAG_PROCESS_EXITED.
   */
  readonly died: Promise<MagError>;
  /** What was started in it is up. */
  settled(): void;
  /** It said that it ends. That comes milliseconds before the system says so, and a replacement need not wait. */
  ending(words: LastWords): void;
  /** Ends it now. */
  kill(): void;
  /** Ends it when its replacement has had time to start: it rests, and nothing of it runs any more. */
  release(): void;
}

export interface VesselOptions {
  /** Name of the child it is for, in errors and as the thread's name. */
  readonly name: string;
  readonly module: string;
  readonly pool: string;
  readonly spare: boolean;
}
