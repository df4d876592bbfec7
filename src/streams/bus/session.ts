import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { BUS_LIMITS } from '../../limits-bus.ts';
import type { FlowEmitter, FlowProducer } from '../flow.ts';
import type { BusHost, ConsumerOptions, DeadLetter } from './bus.ts';
import type { ConsumerState } from './consumer-state.ts';
import type { Delivery, NakOptions } from './delivery.ts';
import { LaneChoice } from './lane-choice.ts';
import { LaneReader, type RecordSource } from './lane-reader.ts';
import { type BusRecord, weightOf } from './record.ts';
import { RetryQueue } from './retry-queue.ts';

/** An event that was taken and is not settled. */
export interface Item {
  readonly record: BusRecord;
  attempts: number;
  /** Monotonic time at which something happens to it: its delivery is over, or it is due again. */
  at: number;
  reason: string;
}

/** What a session needs of its topic. */
export interface SessionTopic extends RecordSource {
  readonly name: string;
  readonly host: BusHost;
  readonly lanes: readonly string[];
  readonly ageing: number;
  parse(record: BusRecord): unknown;
  /** Puts it with the dead letters; null for a topic whose events stay. */
  readonly bury: ((letter: DeadLetter, key: string) => Promise<void>) | null;
}

/** Who knows the sessions of a consumer. */
export interface SessionOwner {
  /** Its state changed. */
  changed(state: ConsumerState): void;
  ended(session: Session): void;
  /** False once another session of the consumer has begun, or its state was replaced. */
  isLatest(session: Session): boolean;
}

/** One subscription of a consumer: takes events by lane, delivers within demand and bounds, and follows each to its end. */
export class Session implements FlowProducer {
  readonly state: ConsumerState;
  readonly #topic: SessionTopic;
  readonly #emitter: FlowEmitter<Delivery>;
  readonly #maxInFlight: number;
  readonly #ackWait: number;
  readonly #maxAttempts: number;
  readonly #choice: LaneChoice;
  readonly #readers: readonly LaneReader[];
  /** Delivered; by offset, in the order in which their deliveries end. */
  readonly #inFlight = new Map<number, Item>();
  #inFlightWeight = 0;
  readonly #retries: RetryQueue;
  readonly #owner: SessionOwner;
  #timer: { readonly id: unknown } | null = null;
  #timerAt = 0;
  #ready = false;
  #ended = false;

  constructor(
    topic: SessionTopic,
    state: ConsumerState,
    options: ConsumerOptions,
    emitter: FlowEmitter<Delivery>,
    owner: SessionOwner,
  ) {
    this.#topic = topic;
    this.state = state;
    this.#emitter = emitter;
    this.#owner = owner;
    state.sync = () => this.#sync();
    this.#maxInFlight = Math.min(options.maxInFlight ?? 1, BUS_LIMITS.busInFlight);
    this.#ackWait = options.ackWait ?? BUS_LIMITS.busAckWaitMs;
    this.#maxAttempts =
      topic.bury === null ? Number.POSITIVE_INFINITY : (options.maxAttempts ?? BUS_LIMITS.busAttempts);
    this.#choice = new LaneChoice(topic.lanes.length, topic.ageing);
    this.#retries = new RetryQueue(topic.lanes.length);
    this.#readers = state.lanes.map(
      ({ position }, lane) =>
        new LaneReader(
          topic,
          position,
          (record) => this.#laneOf(record) === lane,
          (first, gone) => this.#loaded(first, gone),
          (error) => this.#fail(error),
        ),
    );
  }

  /** Takes up what an earlier session left unsettled, then begins. */
  async start(): Promise<void> {
    try {
      for (const [lane, { unsettled }] of this.state.lanes.entries()) {
        for (const [offset, attempts] of unsettled) {
          const [record] = await this.#topic.load(offset);
          if (record?.offset === offset) {
            const reason = 'it was not settled when its consumer ended';
            this.#retries.addDue(lane, { record, attempts, at: 0, reason });
          } else {
            unsettled.delete(offset);
            this.state.missed += 1;
          }
        }
      }
      this.#ready = true;
      this.wake();
    } catch (error) {
      this.#fail(error);
    }
  }

  wake(): void {
    if (!this.#ended) this.#emitter.wake();
  }

  /** Brings the state's positions up to date. */
  #sync(): void {
    for (const [index, lane] of this.state.lanes.entries()) {
      const reader = this.#readers[index];
      if (reader !== undefined) lane.position = reader.position;
    }
  }

  pull(): void {
    if (!this.#ready) return;
    while (this.#hasRoom()) {
      for (const reader of this.#readers) reader.peek();
      // A lane that is being read may hold something more urgent than those that are not.
      if (this.#readers.some((reader) => reader.isLoading)) break;
      const lane = this.#choice.choose((index) => this.#isWaiting(index));
      if (lane === -1) break;
      const item = this.#retries.takeDue(lane) ?? this.#takeNew(lane);
      if (item !== null) this.#deliver(item);
    }
    this.#armTimer();
  }

  cancel(): void {
    this.#end();
  }

  /** The bus ends: with an error, or because it was closed. */
  finish(error: Error | null): void {
    if (this.#ended) return;
    this.#end();
    if (error === null) this.#emitter.complete();
    else this.#emitter.error(error);
  }

  #hasRoom(): boolean {
    return (
      this.#emitter.demand > 0 &&
      this.#inFlight.size < this.#maxInFlight &&
      this.#inFlightWeight < BUS_LIMITS.busInFlightBytes
    );
  }

  /** A lane with as many unsettled events as may be in flight waits for those: they come first. */
  #isWaiting(lane: number): boolean {
    if (this.#retries.hasDue(lane)) return true;
    const unsettled = this.state.lanes[lane]?.unsettled.size ?? 0;
    return unsettled < this.#maxInFlight && this.#readers[lane]?.peek() !== undefined;
  }

  #takeNew(lane: number): Item | null {
    const record = this.#readers[lane]?.take();
    if (record === undefined) return null;
    this.state.lanes[lane]?.unsettled.set(record.offset, 0);
    return { record, attempts: 0, at: 0, reason: '' };
  }

  #deliver(item: Item): void {
    const { record } = item;
    if (record.deadline !== null && this.#topic.host.wallTime() >= record.deadline) {
      this.state.expired += 1;
      this.#settle(item);
      return;
    }
    if (item.attempts >= this.#maxAttempts) {
      this.#bury(item);
      return;
    }
    let event: unknown;
    try {
      event = this.#topic.parse(record);
    } catch (error) {
      item.reason = describeError(error);
      this.#bury(item);
      return;
    }
    item.attempts += 1;
    item.at = this.#topic.host.now() + this.#ackWait;
    this.state.lanes[this.#laneOf(item.record)]?.unsettled.set(record.offset, item.attempts);
    this.#inFlight.set(record.offset, item);
    this.#inFlightWeight += weightOf(record);
    this.state.delivered += 1;
    if (item.attempts > 1) this.state.redelivered += 1;
    this.#owner.changed(this.state);
    this.#emitter.next(this.#delivery(item, event));
  }

  /** Records of a lane that the topic no longer has count as its lowest. */
  #laneOf(record: BusRecord): number {
    return Math.min(record.lane, this.state.lanes.length - 1);
  }

  #delivery(item: Item, event: unknown): Delivery {
    const { record, attempts } = item;
    const isCurrent = (): boolean =>
      !this.#ended && item.attempts === attempts && this.#inFlight.get(record.offset) === item;
    return {
      topic: this.#topic.name,
      event,
      offset: record.offset,
      time: record.time,
      id: record.id,
      lane: this.#topic.lanes[this.#laneOf(item.record)] ?? '',
      attempt: attempts,
      ack: () => this.#ack(item),
      nak: (options = {}) => {
        if (!isCurrent()) return false;
        this.#retry(item, options);
        this.wake();
        return true;
      },
      extend: () => {
        if (!isCurrent()) return false;
        // To the end of the map: it is the one whose delivery ends last now.
        this.#inFlight.delete(record.offset);
        item.at = this.#topic.host.now() + this.#ackWait;
        this.#inFlight.set(record.offset, item);
        return true;
      },
    };
  }

  /** Also after this session: work that was done need not be done again, as long as no other session has begun. */
  #ack(item: Item): boolean {
    if (this.#isSettled(item)) return false;
    if (this.#ended && !this.#owner.isLatest(this)) return false;
    this.state.acked += 1;
    this.#settle(item);
    this.wake();
    return true;
  }

  #isSettled({ record }: Item): boolean {
    return this.state.lanes[this.#laneOf(record)]?.unsettled.has(record.offset) !== true;
  }

  #settle(item: Item): void {
    if (!this.#leaveFlight(item)) this.#retries.remove(item);
    this.state.lanes[this.#laneOf(item.record)]?.unsettled.delete(item.record.offset);
    this.#owner.changed(this.state);
  }

  #leaveFlight(item: Item): boolean {
    if (this.#inFlight.get(item.record.offset) !== item) return false;
    this.#inFlight.delete(item.record.offset);
    this.#inFlightWeight -= weightOf(item.record);
    return true;
  }

  #retry(item: Item, { delay, reason = 'it was refused by its consumer' }: NakOptions): void {
    this.#leaveFlight(item);
    item.reason = reason;
    if (item.attempts >= this.#maxAttempts) {
      this.#bury(item);
      return;
    }
    const backoff = Math.min(
      BUS_LIMITS.busRetryCapMs,
      BUS_LIMITS.busRetryMs * 2 ** Math.min(item.attempts - 1, 30),
    );
    item.at = this.#topic.host.now() + (delay ?? backoff);
    this.#retries.add(this.#laneOf(item.record), item);
    this.#armTimer();
  }

  /** It stays unsettled, and so blocks nothing but its place, until it is durable among the dead letters. */
  #bury(item: Item): void {
    const { record, attempts, reason } = item;
    const letter: DeadLetter = {
      topic: this.#topic.name,
      consumer: this.state.name,
      offset: record.offset,
      time: record.time,
      id: record.id,
      lane: this.#topic.lanes[this.#laneOf(item.record)] ?? '',
      attempts,
      reason: reason.slice(0, LIMITS.errorTextBytes),
      event: JSON.parse(record.json),
    };
    // A crash before it is settled buries it again: the same key, so once.
    const key = `${this.state.name}/${record.offset}`;
    const buried = this.#topic.bury?.(letter, key) ?? Promise.reject(new MagError('MAG_INTERNAL'));
    buried.then(
      () => {
        if (this.#isSettled(item)) return;
        this.state.dead += 1;
        this.#settle(item);
        this.wake();
      },
      () => {
        if (this.#ended) return;
        item.at = this.#topic.host.now() + BUS_LIMITS.busRetryCapMs;
        this.#retries.add(this.#laneOf(item.record), item);
        this.#armTimer();
      },
    );
  }

  #loaded(first: number, gone: number): void {
    if (gone > 0) {
      const before = Math.max(first - gone, this.state.missedBefore);
      this.state.missed += Math.max(0, first - before);
      this.state.missedBefore = Math.max(first, this.state.missedBefore);
    }
    this.wake();
  }

  /** One timer for what ends or falls due first; it is left where it is when that moves later. */
  #armTimer(): void {
    if (this.#ended) return;
    const [oldest] = this.#inFlight.values();
    const at = Math.min(oldest?.at ?? Number.POSITIVE_INFINITY, this.#retries.nextAt);
    if (at === Number.POSITIVE_INFINITY) return;
    if (this.#timer !== null && this.#timerAt <= at) return;
    if (this.#timer !== null) this.#topic.host.clearTimer(this.#timer);
    this.#timerAt = at;
    const delay = Math.min(Math.max(0, at - this.#topic.host.now()), BUS_LIMITS.busTimerMs);
    this.#timer = this.#topic.host.setTimer(delay, () => {
      this.#timer = null;
      this.#tick();
    });
  }

  #tick(): void {
    const now = this.#topic.host.now();
    for (const item of this.#inFlight.values()) {
      if (item.at > now) break;
      this.#retry(item, { delay: 0, reason: `no ack within ${this.#ackWait} ms` });
    }
    this.#retries.fallDue(now);
    this.wake();
    this.#armTimer();
  }

  #fail(error: unknown): void {
    this.finish(error instanceof Error ? error : new Error(String(error)));
  }

  #end(): void {
    if (this.#ended) return;
    this.#sync();
    this.#ended = true;
    if (this.#timer !== null) this.#topic.host.clearTimer(this.#timer);
    this.#timer = null;
    for (const reader of this.#readers) reader.stop();
    this.state.sync = () => {};
    this.#owner.ended(this);
  }
}
