import type { MagError } from '../errors.ts';
import type { Transport } from './transport.ts';

/** A running thread or process that can hold a subtree. */
export interface Vessel {
  readonly pid: number;
  readonly transport: Transport;
  /** Message ports can be handed to it. */
  readonly takesPorts: boolean;
  /** Resolves once, when it is gone, with why: MAG_WORKER_EXITED, MAG_WORKER_HUNG or MAG_PROCESS_EXITED. */
  readonly died: Promise<MagError>;
  /** Ends it now. */
  kill(): void;
}

export interface VesselOptions {
  /** Name of the child it is for, in errors and as the thread's name. */
  readonly name: string;
  readonly module: string;
  readonly pool: string;
  readonly spare: boolean;
}
