import type { BusEvent } from './bus.ts';

export interface NakOptions {
  /** Milliseconds until it is delivered again; default BUS_LIMITS.busRetryMs, doubled with each attempt up to busRetryCapMs. */
  readonly delay?: number;
  /** Stands in the dead letter, where this was the last attempt. */
  readonly reason?: string;
}

/** One delivery of an event. It is settled by an ack; a nak, or ackWait milliseconds without either, brings another. */
export interface Delivery<Event = unknown> extends BusEvent<Event> {
  readonly topic: string;
  /** 1 for the first one. */
  readonly attempt: number;
  /** Settles the event, also after ackWait. False where it was settled before. */
  ack(): boolean;
  /** False where this delivery is over: acked, naked, or past its ackWait. */
  nak(options?: NakOptions): boolean;
  /** Begins its ackWait anew: for work that takes long. False where this delivery is over. */
  extend(): boolean;
}

export type DeliveryHandler<Event> = (event: Event, delivery: Delivery<Event>) => unknown;
