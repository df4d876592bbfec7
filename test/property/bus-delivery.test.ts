import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bus, DeadLetter } from '../../src/streams/bus/bus.ts';
import type { Delivery } from '../../src/streams/bus/delivery.ts';
import { openBus } from '../../src/streams/bus/open-bus.ts';
import { type VirtualHost, virtualHost } from '../../src/testing/virtual-host.ts';
import { SimulatedDisk } from '../support/simulated-disk.ts';

const LANES = ['high', 'low'];
const TOPICS = { t: { lanes: LANES, ageing: 2 } } as const;
const ATTEMPTS = 3;
const ACK_WAIT = 1_000;

type Event = { readonly key: string };
type Fate = 'ack' | 'nak' | 'ignore';
type Action =
  | { readonly kind: 'publish'; readonly key: string; readonly lane: string }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'crash' }
  | { readonly kind: 'reopen' };

/** What a consumer was given, in order, and what it did with it. */
class ConsumerModel {
  readonly name: string;
  readonly maxInFlight: number;
  readonly #fate: () => Fate;
  readonly deliveries = new Map<number, number>();
  readonly acked = new Set<number>();
  readonly #highest = new Map<string, number>();
  /** Delivered in this session, neither acked nor known to be buried. */
  #open = new Map<number, Delivery>();
  calm = false;

  constructor(name: string, maxInFlight: number, fate: () => Fate) {
    this.name = name;
    this.maxInFlight = maxInFlight;
    this.#fate = fate;
  }

  /** A new session: what was open in the last one comes again. */
  attach(): void {
    this.#open = new Map();
  }

  receive(delivery: Delivery): void {
    const { offset, lane } = delivery;
    const before = this.deliveries.get(offset) ?? 0;
    this.deliveries.set(offset, before + 1);
    if (before === 0) {
      // First deliveries of a lane come in order.
      expect(offset).toBeGreaterThan(this.#highest.get(lane) ?? -1);
      this.#highest.set(lane, offset);
    }
    expect(delivery.attempt).toBeLessThanOrEqual(ATTEMPTS);
    if (this.maxInFlight === 1) {
      // With one at a time, what came before in the lane is settled: acked, or out of attempts.
      for (const [open, held] of this.#open)
        if (held.lane === lane && open < offset) expect(held.attempt).toBe(ATTEMPTS);
    }
    this.#open.set(offset, delivery);
    const fate = this.calm ? 'ack' : this.#fate();
    if (fate === 'ack') {
      expect(delivery.ack()).toBe(true);
      this.acked.add(offset);
      this.#open.delete(offset);
    } else if (fate === 'nak') delivery.nak({ delay: 50, reason: 'not now' });
  }
}

class World {
  readonly host: VirtualHost = virtualHost(1);
  readonly disk = new SimulatedDisk();
  readonly consumers: readonly ConsumerModel[];
  /** Offsets that publishers were told, by key. */
  readonly acknowledged = new Map<string, number>();
  #bus: Bus<typeof TOPICS> | null = null;
  #process = 0;

  constructor(fate: () => Fate) {
    this.consumers = [new ConsumerModel('ordered', 1, fate), new ConsumerModel('parallel', 3, fate)];
  }

  get bus(): Bus<typeof TOPICS> {
    if (this.#bus === null) throw new Error('the bus is not open');
    return this.#bus;
  }

  async open(): Promise<void> {
    this.#process += 1;
    const process = this.#process;
    const place = { host: this.host, files: this.disk, onFailed: (error: Error) => expect(error).toBeNull() };
    this.#bus = await openBus({ folder: '/bus', topics: TOPICS }, place);
    for (const consumer of this.consumers) {
      const options = {
        consumer: consumer.name,
        maxInFlight: consumer.maxInFlight,
        ackWait: ACK_WAIT,
        maxAttempts: ATTEMPTS,
      };
      consumer.attach();
      this.#bus.subscribe('t', options).subscribe(
        {
          // The process that crashed does not know that it is dead.
          next: (delivery) => void (process === this.#process && consumer.receive(delivery)),
          error: (error) => expect(error).toBeNull(),
          complete: () => {},
        },
        { request: Number.POSITIVE_INFINITY },
      );
    }
    await this.host.runUntilIdle();
  }

  async run(action: Action): Promise<void> {
    if (action.kind === 'publish') {
      const told = this.bus.publish('t', { key: action.key }, { id: action.key, lane: action.lane });
      await this.host.runUntilIdle();
      const { offset } = await told;
      expect(this.acknowledged.get(action.key) ?? offset).toBe(offset);
      this.acknowledged.set(action.key, offset);
    } else if (action.kind === 'wait') await this.host.advance(action.ms);
    else if (action.kind === 'crash') await this.#crash();
    else await this.#reopen();
  }

  /** The process is gone: its timers and writes with it. */
  async #crash(): Promise<void> {
    this.disk.restart();
    await this.open();
  }

  async #reopen(): Promise<void> {
    const closed = this.bus.close();
    await this.host.runUntilIdle();
    await closed;
    await this.open();
  }

  async replay<E>(topic: 't' | 't.dead'): Promise<readonly { readonly offset: number; readonly event: E }[]> {
    const found: { offset: number; event: E }[] = [];
    this.bus.replay(topic, 'earliest').subscribe(
      {
        next: ({ offset, event }) => void found.push({ offset, event: event as E }),
        error: (error) => expect(error).toBeNull(),
        complete: () => {},
      },
      { request: Number.POSITIVE_INFINITY },
    );
    await this.host.runUntilIdle();
    return found;
  }
}

const actionArbitrary: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      key: fc.integer({ min: 0, max: 25 }).map((n) => `k${n}`),
      lane: fc.constantFrom(...LANES),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 60, 1_100) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
);
const fateArbitrary = fc.infiniteStream(fc.constantFrom<Fate>('ack', 'ack', 'ack', 'nak', 'ignore'));

describe('the bus, over random publishes, acks, naks, silences, crashes and restarts', () => {
  it('delivers each acknowledged event to each consumer, in the order of its lane, until it is settled', async () => {
    const seen = { dead: 0, redelivered: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(actionArbitrary, { maxLength: 40 }),
        fateArbitrary,
        async (actions, fates) => {
          const world = new World(() => fates.next().value);
          await world.open();
          for (const action of actions) await world.run(action);
          // From here on everything is acked, and everything must come to its end.
          for (const consumer of world.consumers) consumer.calm = true;
          await world.host.advance(20 * ACK_WAIT);

          const held = await world.replay<Event>('t');
          expect(new Set(held.map(({ event }) => event.key)).size).toBe(held.length);
          for (const [key, offset] of world.acknowledged) expect(held[offset]?.event.key).toBe(key);
          const letters = (await world.replay<DeadLetter>('t.dead')).map(({ event }) => event);
          const { t } = world.bus.counters();
          for (const consumer of world.consumers) {
            expect(t?.consumers[consumer.name]).toMatchObject({ pending: 0, lag: 0, missed: 0 });
            const dead = letters.filter((letter) => letter.consumer === consumer.name);
            expect(new Set(dead.map((letter) => letter.offset)).size).toBe(dead.length);
            for (const { offset } of held) {
              const letter = dead.find((candidate) => candidate.offset === offset);
              expect(consumer.acked.has(offset) || letter !== undefined).toBe(true);
              if (letter === undefined) continue;
              seen.dead += 1;
              expect(letter.attempts).toBe(ATTEMPTS);
              expect(consumer.deliveries.get(offset)).toBeGreaterThanOrEqual(ATTEMPTS);
            }
            for (const count of consumer.deliveries.values()) seen.redelivered += count - 1;
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(seen.dead).toBeGreaterThan(0);
    expect(seen.redelivered).toBeGreaterThan(0);
  });
});
