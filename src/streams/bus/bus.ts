import type { Flow } from '../flow.ts';
import type { LogHost, LogRetention } from '../log/log.ts';
import type { Delivery, DeliveryHandler } from './delivery.ts';

/** The part of the runtime's Host that the bus needs. */
export interface BusHost extends LogHost {
  /** Monotonic milliseconds. */
  now(): number;
  /** Runs the callback at the end of the current turn. */
  soon(callback: () => void): void;
}

export interface TopicOptions<Event = unknown> {
  /** `file` (the default) and `sqlite` are durable; `memory` ends with the bus. */
  readonly store?: 'file' | 'sqlite' | 'memory';
  /**
   * Throws where a value is no event of this topic. What it returns is stored as JSON, and goes through it once more
   * when it is read: a later version of the code may read what an earlier one wrote.
   */
  readonly schema?: (value: unknown) => Event;
  /** Highest priority first; one lane named `normal` if absent, at most BUS_LIMITS.busLanes. */
  readonly lanes?: readonly string[];
  /** Deliveries of higher lanes after which a waiting lane comes one rank up; default BUS_LIMITS.busAgeing. */
  readonly ageing?: number;
  /** What is kept for replay. Default BUS_LIMITS.busTopicBytes (memory: busMemoryBytes), for ever. */
  readonly retention?: LogRetention;
  /** When it is full of events that a durable consumer has not settled: refuse new ones (the default), or drop. */
  readonly overflow?: 'reject' | 'drop_oldest';
}

/** Topics by name; a name is letters, digits, `_` and `-`. Each has a second one, `NAME.dead`, for its dead letters. */
export type TopicSet = { readonly [name: string]: TopicOptions };

/** What stands in a dead letter topic. */
export interface DeadLetter<Event = unknown> {
  readonly topic: string;
  readonly consumer: string;
  readonly offset: number;
  /** Milliseconds since the epoch when it was published. */
  readonly time: number;
  readonly id: string | null;
  readonly lane: string;
  /** How often it was delivered. */
  readonly attempts: number;
  readonly reason: string;
  /** As it was stored, also where the schema refuses it now. */
  readonly event: Event;
}

export type TopicName<Topics extends TopicSet> = (keyof Topics & string) | `${keyof Topics & string}.dead`;

/** The event type that a topic's schema gives. */
export type TopicEvent<Topics extends TopicSet, Name extends string> = Name extends keyof Topics
  ? Topics[Name] extends { readonly schema: (value: unknown) => infer Event }
    ? Event
    : unknown
  : Name extends `${infer Base}.dead`
    ? DeadLetter<TopicEvent<Topics, Base>>
    : unknown;

export interface PublishOptions {
  /** Published once within the topic's last BUS_LIMITS.busIds events, over restarts too; at most BUS_LIMITS.busIdBytes. */
  readonly id?: string;
  /** Default: the lowest lane. */
  readonly lane?: string;
  /** Milliseconds since the epoch; an event that is not delivered until then never is. */
  readonly deadline?: number;
}

export interface Published {
  readonly offset: number;
  /** An event with this id is there already, at this offset. */
  readonly duplicate: boolean;
}

/** `earliest` is the oldest event held, `latest` the next one to come, `time` milliseconds since the epoch. */
export type StartFrom = 'earliest' | 'latest' | number | { readonly time: number };

export interface ConsumerOptions {
  /** Its name: position and attempts are kept under it, durably where the topic is. One subscriber at a time. */
  readonly consumer: string;
  /** Where a consumer that is not known yet begins; default `earliest`. */
  readonly from?: StartFrom;
  /**
   * Deliveries without ack at a time, at most BUS_LIMITS.busInFlight. With 1, the default, the events of a lane come in
   * order, a redelivery before what follows it; with more they may overtake each other when one is delivered again.
   */
  readonly maxInFlight?: number;
  /** Milliseconds after which a delivery that was neither acked nor naked is made again; default BUS_LIMITS.busAckWaitMs. */
  readonly ackWait?: number;
  /** Deliveries of one event until it becomes a dead letter; default BUS_LIMITS.busAttempts. Of dead letters: no end. */
  readonly maxAttempts?: number;
}

/** An event of the bus as a replay gives it. */
export interface BusEvent<Event> {
  readonly event: Event;
  readonly offset: number;
  readonly time: number;
  readonly id: string | null;
  readonly lane: string;
}

export interface ConsumerCounters {
  readonly delivered: number;
  readonly acked: number;
  readonly redelivered: number;
  readonly dead: number;
  /** Not delivered: their deadline had passed. */
  readonly expired: number;
  /** Dropped before it came to them. */
  readonly missed: number;
  /** Delivered or to be delivered again, and not settled. */
  readonly pending: number;
  /** Events from the oldest that it has not settled to the topic's end. */
  readonly lag: number;
}

export interface TopicCounters {
  readonly published: number;
  readonly duplicates: number;
  /** Publishes that were refused, for whatever reason. */
  readonly refused: number;
  readonly first: number;
  readonly next: number;
  readonly bytes: number;
  readonly consumers: Readonly<Record<string, ConsumerCounters>>;
}

/**
 * Topics of events, durable where they say so: an event that was acknowledged to its publisher is delivered to each
 * consumer at least once, until it is acked, dead-lettered or past its deadline.
 */
export interface Bus<Topics extends TopicSet = TopicSet> {
  /**
   * Resolves when the event is durable. Rejects with MAG_EVENT_INVALID, MAG_TOPIC_UNKNOWN, MAG_TOPIC_FULL, or as
   * Log.append does.
   */
  publish<Name extends keyof Topics & string>(
    topic: Name,
    event: TopicEvent<Topics, Name>,
    options?: PublishOptions,
  ): Promise<Published>;
  /**
   * Deliveries, each to be acked or naked; demand and `maxInFlight` bound how many are under way. Its one subscriber is
   * the consumer until it cancels. Ends with MAG_CONSUMER_BUSY where another one is, MAG_OFFSET_NOT_HELD where the start is no
   * longer held, or with what ended the bus.
   */
  subscribe<Name extends TopicName<Topics>>(
    topic: Name,
    options: ConsumerOptions,
  ): Flow<Delivery<TopicEvent<Topics, Name>>>;
  /**
   * Subscribes a function: what it returns is awaited and acked, what it throws is naked with its message. `onEnd` is
   * told why deliveries ended, null where the bus was closed.
   */
  consume<Name extends TopicName<Topics>>(
    topic: Name,
    options: ConsumerOptions & { readonly onEnd?: (error: unknown) => void },
    handler: DeliveryHandler<TopicEvent<Topics, Name>>,
  ): { stop(): void };
  /** What is held from there on, in the order of publishing, then what comes; nothing is acked. */
  replay<Name extends TopicName<Topics>>(
    topic: Name,
    from: StartFrom,
  ): Flow<BusEvent<TopicEvent<Topics, Name>>>;
  /** Moves a consumer that has no subscriber now; its unsettled events are forgotten. */
  seek(topic: TopicName<Topics>, consumer: string, from: StartFrom): Promise<void>;
  /** Forgets a consumer that has no subscriber now, so that the topic no longer keeps events for it. */
  forget(topic: TopicName<Topics>, consumer: string): Promise<void>;
  counters(): Readonly<Record<string, TopicCounters>>;
  /** Ends all subscriptions, makes positions durable and frees everything. */
  close(): Promise<void>;
}
