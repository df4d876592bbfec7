import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFeedClient } from '../../src/actors/feed/feed-client.ts';
import type { FeedPush, FeedRequest } from '../../src/actors/feed/feed-messages.ts';
import { ProjectFeed } from '../../src/actors/feed/project-feed.ts';
import { MagError } from '../../src/errors.ts';
import type { FeedPosition } from '../../src/protocol/change.ts';
import { silentLog } from '../../src/runtime/log.ts';
import type { Message } from '../../src/runtime/spec.ts';
import { virtualHost } from '../../src/testing/virtual-host.ts';
import { ScriptedLog } from '../support/feed-scripted-log.ts';

/** What the listener was told, one entry a signal. */
type Told = { readonly epoch: string; readonly offsets: readonly number[] } | 'interrupted';

/** One hub and one edge with a bad road between them: in order, but slow and with losses. */
class World {
  readonly host;
  readonly log = new ScriptedLog();
  readonly told: Told[] = [];
  readonly client;
  from: FeedPosition | null = null;
  /** Share of the messages that get lost, in either direction. */
  loss = 0;
  consumes = true;
  #feed: ProjectFeed;
  #held = 0;
  #incarnation = 0;
  #consumed: (count: number) => void = () => {};

  constructor(seed: number) {
    this.host = virtualHost(seed);
    this.#feed = this.#startHub();
    this.client = createFeedClient({
      host: this.host,
      log: silentLog,
      path: 'edge',
      hub: {
        ask: (message: Message) => this.#ask(message),
        send: (message) => {
          this.#travel(() => void this.#handle(message));
          return 'sent';
        },
      },
    });
  }

  async follow(): Promise<void> {
    const following = this.client.follow('one', {
      changes: (epoch, changes) => {
        this.told.push({ epoch, offsets: changes.map(({ offset }) => offset) });
        this.#held += changes.length;
        this.consume();
      },
      interrupted: () => void this.told.push('interrupted'),
    });
    await this.host.advance(1_000);
    const subscription = await following;
    this.from = subscription.from;
    this.#consumed = (count) => subscription.consumed(count);
  }

  set(change: { loss?: number; consumes?: boolean }): void {
    Object.assign(this, change);
    this.consume();
  }

  consume(): void {
    if (!this.consumes || this.#held === 0) return;
    const count = this.#held;
    this.#held = 0;
    this.host.soon(() => this.#consumed(count));
  }

  restartHub(): void {
    void this.#feed.close();
    this.#feed = this.#startHub();
  }

  #startHub(): ProjectFeed {
    this.#incarnation += 1;
    const incarnation = this.#incarnation;
    return new ProjectFeed({
      host: this.host,
      log: silentLog,
      ref: 'one',
      makeLog: async () => this.log,
      send: (_path, push) => {
        this.#travel(() => {
          if (incarnation === this.#incarnation) this.client.handle(structuredClone(push) as FeedPush);
        });
        return 'sent';
      },
    });
  }

  /** Every message takes the same time, so that their order holds. */
  #travel(arrive: () => void): void {
    if (this.host.random() >= this.loss) this.host.setTimer(2, arrive);
  }

  #ask<Reply>(message: Message): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.host.setTimer(5_000, () => reject(new MagError('MAG_ASK_TIMEOUT', { path: 'feed', ms: 5_000 })));
      this.#travel(() => {
        this.#handle(message).then(
          (value) => this.#travel(() => resolve(value as Reply)),
          (error) => this.#travel(() => reject(error)),
        );
      });
    });
  }

  async #handle(message: Message): Promise<unknown> {
    const feed = this.#feed;
    const request = message as FeedRequest; // only our client sends here
    switch (request.type) {
      case 'FEED_FOLLOW':
        return { from: await feed.follow(request.id, request.path, request.credit, request.from) };
      case 'FEED_CREDIT':
        return feed.consumed(request.id, request.consumed);
      case 'FEED_STOP':
        return feed.stop(request.id);
      case 'FEED_HEARTBEAT': {
        const sent = request.follows.flatMap(({ id, consumed }) => {
          const position = feed.heardOf(id, consumed);
          return position === null ? [] : [[id, position]];
        });
        return { sent: Object.fromEntries(sent) };
      }
      default:
        return null;
    }
  }
}

type Step = (world: World) => void | Promise<void>;
const step: fc.Arbitrary<readonly [string, Step]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .integer({ min: 1, max: 700 })
      .map((n) => [`append ${n}`, (w: World) => w.log.append(n)] as const),
  },
  {
    weight: 4,
    arbitrary: fc
      .integer({ min: 1, max: 1_500 })
      .map((ms) => [`wait ${ms}`, (w: World) => w.host.advance(ms)] as const),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(0, 0.2, 0.6)
      .map((loss) => [`lose ${loss}`, (w: World) => w.set({ loss })] as const),
  },
  { weight: 1, arbitrary: fc.constant(['restart', (w: World) => w.restartHub()] as const) },
  {
    weight: 2,
    arbitrary: fc.boolean().map((on) => [`consume ${on}`, (w: World) => w.set({ consumes: on })] as const),
  },
  {
    weight: 1,
    arbitrary: fc.constant(['trim', (w: World) => w.log.keep(300)] as const),
  },
  {
    weight: 1,
    arbitrary: fc.constant([
      'epoch',
      (w: World) => {
        w.log.epoch += '+';
        w.log.floor = w.log.count;
        w.log.append(0);
      },
    ] as const),
  },
);

/** Offsets join on without a gap or a repeat, except where an interruption was told; gives where they end. */
function check(from: FeedPosition, told: readonly Told[]): number {
  let next = from.offset + 1;
  let free = false;
  for (const signal of told) {
    if (signal === 'interrupted') {
      free = true;
      continue;
    }
    for (const offset of signal.offsets) {
      if (free) expect(offset).toBeGreaterThanOrEqual(next);
      else expect(offset).toBe(next);
      next = offset + 1;
      free = false;
    }
  }
  return next - 1;
}

describe('a follow over a bad road', () => {
  it('tells every change once and in order, or says that it cannot, and catches up once the road is good', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(step, { minLength: 5, maxLength: 30 }), async (seed, steps) => {
        const world = new World(seed);
        await world.follow();
        for (const [, run] of steps) await run(world);
        world.set({ loss: 0, consumes: true });
        await world.host.advance(60_000);
        world.log.append(1);
        await world.host.advance(5_000);
        expect(check(world.from ?? { epoch: '', offset: 0 }, world.told)).toBe(world.log.count);
        // Losses and restarts alone are never the listener's business.
        if (!steps.some(([name]) => name === 'trim' || name === 'epoch')) {
          expect(world.told).not.toContain('interrupted');
        }
        world.client.close();
      }),
      { numRuns: 200 },
    );
  });
});
