import { describeError, MagError } from '../../errors.ts';
import { BUS_LIMITS } from '../../limits-bus.ts';
import { createFlow, type Flow } from '../flow.ts';
import type { Log, LogRetention } from '../log/log.ts';
import type {
  BusEvent,
  BusHost,
  DeadLetter,
  Published,
  PublishOptions,
  StartFrom,
  TopicCounters,
  TopicOptions,
} from './bus.ts';
import { Checkpoints } from './checkpoints.ts';
import { Consumers } from './consumers.ts';
import { IdWindow } from './id-window.ts';
import { type BusRecord, decodeRecord, encodeRecord } from './record.ts';
import { Replay } from './replay.ts';
import type { SessionTopic } from './session.ts';
import { Tail } from './tail.ts';
import { openConsumers, openEvents, retentionOf, type StorePlace } from './topic-stores.ts';

const NO_OPTIONS: PublishOptions = {};

/** One topic: its log, the ids of its newest events, its consumers. */
export class Topic implements SessionTopic {
  readonly name: string;
  readonly host: BusHost;
  readonly lanes: readonly string[];
  readonly ageing: number;
  readonly #options: TopicOptions;
  readonly #retention: LogRetention;
  readonly #log: Log;
  readonly consumers: Consumers;
  readonly #dead: Topic | null;
  readonly #ids = new IdWindow<Published>(BUS_LIMITS.busIds);
  readonly #tail: Tail;
  readonly #replays = new Set<Replay>();
  #waking = false;
  #retainTimer: { readonly id: unknown } | null = null;
  #closed: Promise<void> | null = null;
  #published = 0;
  #duplicates = 0;
  #refused = 0;

  private constructor(
    name: string,
    host: BusHost,
    options: TopicOptions,
    log: Log,
    checkpoints: Checkpoints,
    dead: Topic | null,
  ) {
    this.name = name;
    this.host = host;
    this.#options = options;
    this.lanes = options.lanes ?? ['normal'];
    this.ageing = options.ageing ?? BUS_LIMITS.busAgeing;
    this.#retention = retentionOf(options);
    this.#log = log;
    this.consumers = new Consumers(this, checkpoints);
    this.#dead = dead;
    this.#tail = new Tail(log.next);
  }

  /** Opens it with its dead letters, unless it holds those of another (`dead` is null). */
  static async open(
    name: string,
    place: StorePlace & { readonly host: BusHost },
    options: TopicOptions,
    dead: Topic | null,
  ): Promise<Topic> {
    const log = await openEvents(place, options);
    try {
      const consumers = await openConsumers(place);
      try {
        const checkpoints = await Checkpoints.open(place.host, consumers, options.lanes?.length ?? 1);
        const topic = new Topic(name, place.host, options, log, checkpoints, dead);
        await topic.#readIds();
        topic.#planRetention();
        return topic;
      } catch (error) {
        await consumers.close();
        throw error;
      }
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  /** Of its durable events; those that are published and not durable yet are not there. */
  get next(): number {
    return this.#tail.next;
  }

  publish(value: unknown, options: PublishOptions = NO_OPTIONS): Promise<Published> {
    const { id = null, deadline = null } = options;
    let lane: number;
    let json: string;
    try {
      const known = id === null ? null : this.#known(id);
      if (known !== null) return known;
      lane = this.#check(id, deadline, options.lane);
      json = this.#encode(value);
      this.#checkRoom();
    } catch (error) {
      this.#refused += 1;
      return Promise.reject(error);
    }
    const published = this.#log.append([encodeRecord(lane, id, deadline, json)], (offset) => {
      this.#appended({ offset, time: this.#log.lastTime, lane, id, deadline, json });
      return { offset, duplicate: false };
    });
    if (id !== null) this.#ids.begin(id, published);
    return published;
  }

  recent(from: number, count: number): readonly BusRecord[] | null {
    return this.#tail.read(from, count);
  }

  async load(from: number): Promise<readonly BusRecord[]> {
    // Those beyond the tail are durable, but their publishers have not been told: they come in their turn.
    const records = await this.#log.read(from, BUS_LIMITS.busReadBytes);
    return records.filter((record) => record.offset < this.next).map(decodeRecord);
  }

  parse(record: BusRecord): unknown {
    return this.#parseValue(JSON.parse(record.json));
  }

  get bury(): SessionTopic['bury'] {
    const dead = this.#dead;
    if (dead === null) return null;
    return async (letter: DeadLetter, key: string) => {
      await dead.publish(letter, { id: key });
    };
  }

  replay(from: StartFrom): Flow<BusEvent<unknown>> {
    return createFlow<BusEvent<unknown>>((emitter) => {
      const replay = new Replay(this, emitter, () => this.#replays.delete(replay));
      this.#replays.add(replay);
      this.offsetOf(from).then(
        (offset) => replay.start(offset),
        (error: unknown) => replay.fail(error),
      );
      return replay;
    });
  }

  counters(): TopicCounters {
    const next = this.next;
    return {
      published: this.#published,
      duplicates: this.#duplicates,
      refused: this.#refused + this.#log.counters().refused,
      first: this.#log.first,
      next,
      bytes: this.#log.bytes,
      consumers: this.consumers.counters(next, this.#log.first),
    };
  }

  /** Removes what retention does not keep and no consumer needs. */
  async retain(): Promise<void> {
    const offset = this.#log.expiry(this.#retention);
    const isDropping = this.#options.overflow === 'drop_oldest';
    await this.#log.truncateBefore(isDropping ? offset : Math.min(offset, this.consumers.floor(this.next)));
  }

  /** Ends its subscriptions: with an error, or because the bus is closed. */
  finish(error: Error | null): void {
    this.consumers.finish(error);
    for (const replay of [...this.#replays]) replay.finish(error);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#retainTimer !== null) this.host.clearTimer(this.#retainTimer);
    this.finish(null);
    try {
      await this.consumers.close();
    } finally {
      await this.#log.close();
    }
  }

  /** Throws MAG_OFFSET_NOT_HELD. */
  async offsetOf(from: StartFrom): Promise<number> {
    if (from === 'earliest') return this.#log.first;
    if (from === 'latest') return this.next;
    if (typeof from === 'object') return Math.min(this.next, await this.#log.offsetAt(from.time));
    if (!Number.isInteger(from) || from < this.#log.first || from > this.next) {
      const { first } = this.#log;
      throw new MagError('MAG_OFFSET_NOT_HELD', { topic: this.name, offset: from, first, next: this.next });
    }
    return from;
  }

  /** What came of the publish with this id, where there was one. */
  #known(id: string): Promise<Published> | null {
    const underWay = this.#ids.underWay(id);
    const offset = this.#ids.find(id, this.next);
    if (underWay === undefined && offset === null) return null;
    this.#duplicates += 1;
    if (underWay !== undefined) return underWay.then((first) => ({ ...first, duplicate: true }));
    return Promise.resolve({ offset: offset ?? 0, duplicate: true });
  }

  /** The lane's number. */
  #check(id: string | null, deadline: number | null, name: string | undefined): number {
    const lane = name === undefined ? this.lanes.length - 1 : this.lanes.indexOf(name);
    if (lane === -1) throw this.#invalid(`no lane ${name}`);
    if (id !== null && (id === '' || Buffer.byteLength(id) > BUS_LIMITS.busIdBytes))
      throw this.#invalid(`an id has 1 to ${BUS_LIMITS.busIdBytes} bytes`);
    if (deadline !== null && !(deadline > this.host.wallTime()))
      throw this.#invalid('its deadline has passed');
    return lane;
  }

  #encode(value: unknown): string {
    let json: string | undefined;
    try {
      json = JSON.stringify(this.#parseValue(value));
    } catch (error) {
      throw this.#invalid(describeError(error), error);
    }
    if (json === undefined) throw this.#invalid('it has no JSON form');
    return json;
  }

  #invalid(problem: string, cause?: unknown): MagError {
    return new MagError('MAG_EVENT_INVALID', { topic: this.name, problem }, { cause });
  }

  #parseValue(value: unknown): unknown {
    const { schema } = this.#options;
    return schema === undefined ? value : schema(value);
  }

  #appended(record: BusRecord): void {
    this.#published += 1;
    if (record.id !== null) this.#ids.add(record.id, record.offset);
    if (this.#replays.size === 0 && !this.consumers.isRead) {
      // Held for nobody, it would only be work for the garbage collector.
      this.#tail.skip(record.offset);
      return;
    }
    this.#tail.push(record);
    if (this.#waking) return;
    this.#waking = true;
    this.host.soon(() => {
      this.#waking = false;
      this.consumers.wake();
      for (const replay of this.#replays) replay.wake();
    });
  }

  /** Full is a topic that should remove what a consumer still needs. */
  #checkRoom(): void {
    if (this.#log.bytes <= this.#retention.bytes) return;
    const expiry = this.#log.expiry(this.#retention);
    if (expiry === this.#log.first) return;
    if (this.#options.overflow !== 'drop_oldest' && expiry > this.consumers.floor(this.next))
      throw new MagError('MAG_TOPIC_FULL', { topic: this.name, bytes: this.#retention.bytes });
    if (this.#retainTimer !== null) this.host.clearTimer(this.#retainTimer);
    this.#planRetention(0);
  }

  #planRetention(delay: number = BUS_LIMITS.busRetainMs): void {
    if (this.#closed !== null) return;
    this.#retainTimer = this.host.setTimer(delay, () => {
      // The log tells of its end itself; what a full disk kept from being removed is removed at the next look.
      this.retain()
        .catch(() => {})
        .finally(() => this.#planRetention());
    });
  }

  async #readIds(): Promise<void> {
    for (let from = Math.max(this.#log.first, this.#ids.floor(this.next)); from < this.next; ) {
      const records = await this.load(from);
      for (const { id, offset } of records) if (id !== null) this.#ids.add(id, offset);
      from = (records.at(-1)?.offset ?? this.next) + 1;
    }
  }
}
