import { join } from 'node:path';
import { describeError, MagError } from '../../errors.ts';
import { BUS_LIMITS } from '../../limits-bus.ts';
import type { Flow } from '../flow.ts';
import type { LogFiles } from '../log/files.ts';
import type {
  Bus,
  BusEvent,
  BusHost,
  ConsumerOptions,
  Published,
  PublishOptions,
  StartFrom,
  TopicCounters,
  TopicOptions,
  TopicSet,
} from './bus.ts';
import type { Delivery, DeliveryHandler } from './delivery.ts';
import { Topic } from './topic.ts';
import type { StorePlace } from './topic-stores.ts';

export interface BusOptions<Topics extends TopicSet = TopicSet> {
  readonly topics: Topics;
  /** Where the durable topics live, each in a folder of its name. Needed unless all are in memory. */
  readonly folder?: string;
}

export interface BusPlace {
  readonly host: BusHost;
  /** Told once when a log ended by itself: the bus must be opened anew then. Its subscriptions have ended with this. */
  readonly onFailed: (error: Error) => void;
  readonly files?: LogFiles;
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Opens every topic, with its dead letters. Throws as openFileLog does, and MAG_BAD_REQUEST for options that make no sense. */
export async function openBus<const Topics extends TopicSet>(
  options: BusOptions<Topics>,
  place: BusPlace,
): Promise<Bus<Topics>> {
  const topics = new Map<string, Topic>();
  const bus = new OpenBus(topics);
  const onFailed = (error: Error): void => {
    if (bus.fail(error)) place.onFailed(error);
  };
  try {
    for (const [name, topic] of Object.entries(options.topics)) {
      checkTopic(name, topic, options.folder);
      const { store = 'file' } = topic;
      const folder = join(options.folder ?? '', name);
      const files = place.files === undefined ? {} : { files: place.files };
      const at: StorePlace & { host: BusHost } = { host: place.host, folder, store, onFailed, ...files };
      const letters: TopicOptions = { store, overflow: 'drop_oldest' };
      const dead = await Topic.open(`${name}.dead`, { ...at, folder: join(folder, 'dead') }, letters, null);
      topics.set(`${name}.dead`, dead);
      topics.set(name, await Topic.open(name, at, topic, dead));
    }
  } catch (error) {
    await bus.close();
    throw error;
  }
  // What the topics' schemas give is what they were declared with.
  return bus as unknown as Bus<Topics>;
}

function checkTopic(name: string, topic: TopicOptions, folder: string | undefined): void {
  const { lanes = ['normal'], store = 'file', ageing = 1 } = topic;
  let problem: string | null = null;
  if (!NAME.test(name)) problem = 'its name';
  else if (store !== 'memory' && folder === undefined) problem = 'it is durable and the bus has no folder';
  else if (lanes.length === 0 || lanes.length > BUS_LIMITS.busLanes || new Set(lanes).size < lanes.length)
    problem = 'its lanes';
  else if (!Number.isInteger(ageing) || ageing < 1) problem = 'its ageing';
  if (problem !== null) throw new MagError('MAG_BAD_REQUEST', { problem: `topic ${name}: ${problem}` });
}

/** Bus, without the types of its topics. */
class OpenBus {
  readonly #topics: ReadonlyMap<string, Topic>;
  #hasEnded = false;

  constructor(topics: ReadonlyMap<string, Topic>) {
    this.#topics = topics;
  }

  publish(topic: string, event: unknown, options?: PublishOptions): Promise<Published> {
    const found = this.#topics.get(topic);
    return found === undefined ? Promise.reject(unknownTopic(topic)) : found.publish(event, options);
  }

  subscribe(topic: string, options: ConsumerOptions): Flow<Delivery> {
    return this.#topic(topic).consumers.subscribe(options);
  }

  consume(
    topic: string,
    options: ConsumerOptions & { readonly onEnd?: (error: unknown) => void },
    handler: DeliveryHandler<unknown>,
  ): { stop(): void } {
    // Without onEnd nobody but the caller could be told that it never began.
    const refusals: unknown[] = [];
    const { onEnd = (error: unknown) => void refusals.push(error) } = options;
    const subscription = this.subscribe(topic, options).subscribe(
      { next: (delivery) => void handle(delivery, handler), error: onEnd, complete: () => onEnd(null) },
      { request: Number.POSITIVE_INFINITY },
    );
    const [refusal = null] = refusals;
    if (refusal !== null) throw refusal;
    return { stop: () => subscription.cancel() };
  }

  replay(topic: string, from: StartFrom): Flow<BusEvent<unknown>> {
    return this.#topic(topic).replay(from);
  }

  async seek(topic: string, consumer: string, from: StartFrom): Promise<void> {
    await this.#topic(topic).consumers.seek(consumer, from);
  }

  async forget(topic: string, consumer: string): Promise<void> {
    await this.#topic(topic).consumers.forget(consumer);
  }

  counters(): Readonly<Record<string, TopicCounters>> {
    return Object.fromEntries([...this.#topics].map(([name, topic]) => [name, topic.counters()]));
  }

  /** True the first time. */
  fail(error: Error): boolean {
    if (this.#hasEnded) return false;
    this.#hasEnded = true;
    for (const topic of this.#topics.values()) topic.finish(error);
    return true;
  }

  async close(): Promise<void> {
    this.#hasEnded = true;
    // Dead letters last: what ends while the others close may still be buried. Each is freed, whatever fails.
    const topics = [...this.#topics.values()].reverse();
    const ends = await Promise.allSettled(topics.map((topic) => topic.close()));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw unknownTopic(name);
    return topic;
  }
}

const unknownTopic = (topic: string): MagError => new MagError('MAG_TOPIC_UNKNOWN', { topic });

async function handle(delivery: Delivery, handler: DeliveryHandler<unknown>): Promise<void> {
  try {
    await handler(delivery.event, delivery);
    delivery.ack();
  } catch (error) {
    delivery.nak({ reason: describeError(error) });
  }
}
