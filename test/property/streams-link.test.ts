import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { createFlow, type Flow } from '../../src/streams/flow.ts';
import { fromArray, fromPush } from '../../src/streams/flow-sources.ts';
import { receiveFlow, sendFlow } from '../../src/streams/link-port.ts';

const host = nodeHost();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Outcome {
  readonly items: number[];
  readonly ending: unknown;
}

/** Takes everything, asking for so many at a time, some turns apart. */
function collect(flow: Flow<number>, step: number, pause: boolean): Promise<Outcome> {
  return new Promise((resolve) => {
    const items: number[] = [];
    let left = step;
    const subscription = flow.subscribe({
      next: (n) => {
        items.push(n);
        left -= 1;
        if (left > 0) return;
        left = step;
        if (pause) setImmediate(() => subscription.request(step));
        else subscription.request(step);
      },
      error: (error) => resolve({ items, ending: error }),
      complete: () => resolve({ items, ending: 'complete' }),
    });
    subscription.request(step);
  });
}

/** Numbers without end that count how far ahead of the consumer they were asked for. */
function endless(count: number, emitted: (n: number) => void): Flow<number> {
  return createFlow((emitter) => {
    let n = 0;
    return {
      pull: () => {
        while (emitter.demand > 0 && n < count) {
          n += 1;
          emitted(n);
          emitter.next(n);
        }
        if (n >= count) emitter.complete();
      },
    };
  });
}

describe('a flow over a message port', () => {
  it('arrives whole and in order, and is never further ahead than its window', async () => {
    const run = fc.asyncProperty(
      fc.integer({ min: 0, max: 400 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 50 }),
      fc.boolean(),
      async (count, window, step, pause) => {
        const { port1, port2 } = new MessageChannel();
        let ahead = 0;
        let sent = 0;
        let taken = 0;
        sendFlow(
          host,
          endless(count, (n) => {
            sent = n;
            ahead = Math.max(ahead, sent - taken);
          }),
          port1,
        );
        const received = receiveFlow<number>(port2, { window });
        const counted = createFlow<number>((emitter) => {
          const inner = received.subscribe({
            next: (n) => {
              taken += 1;
              emitter.next(n);
            },
            error: (error) => emitter.error(error),
            complete: () => emitter.complete(),
          });
          let asked = 0;
          return {
            pull: () => {
              const more = emitter.demand + taken - asked;
              asked += more;
              if (more > 0) inner.request(more);
            },
          };
        });
        const { items, ending } = await collect(counted, step, pause);
        expect(items).toEqual(Array.from({ length: count }, (_, place) => place + 1));
        expect(ending).toBe('complete');
        expect(ahead).toBeLessThanOrEqual(window);
        port1.close();
      },
    );
    await fc.assert(run, { numRuns: 60 });
  });

  it('stops its source when the far end cancels', async () => {
    const { port1, port2 } = new MessageChannel();
    const source = fromPush<number>({ capacity: 10, overflow: 'error' });
    sendFlow(host, source.flow, port1);
    const seen: number[] = [];
    const subscription = receiveFlow<number>(port2, { window: 4 }).subscribe({
      next: (n) => void seen.push(n),
      error: () => {},
      complete: () => {},
    });
    subscription.request(10);
    await turn();
    source.push(1);
    while (seen.length === 0) await turn();
    subscription.cancel();
    while (source.push(2)) await turn();
    expect(seen).toEqual([1]);
    port1.close();
  });

  it('tells an error with its code, after the items before it', async () => {
    const { port1, port2 } = new MessageChannel();
    const source = fromPush<number>({ capacity: 10, overflow: 'error' });
    for (const n of [1, 2, 3]) source.push(n);
    source.error(Object.assign(new Error('gone'), { code: 'MAG_FEED_UNAVAILABLE' }));
    sendFlow(host, source.flow, port1);
    const { items, ending } = await collect(receiveFlow<number>(port2, { window: 8 }), 2, true);
    expect(items).toEqual([1, 2, 3]);
    expect(ending).toMatchObject({ message: 'gone', code: 'MAG_FEED_UNAVAILABLE' });
    port1.close();
  });

  it('is an error where the port closes before its end, and silence where it closes after', async () => {
    const { port1, port2 } = new MessageChannel();
    sendFlow(host, fromPush<number>({ capacity: 1, overflow: 'error' }).flow, port1);
    const waiting = collect(receiveFlow<number>(port2, { window: 2 }), 1, false);
    await turn();
    port1.close();
    expect((await waiting).ending).toBeInstanceOf(Error);

    const other = new MessageChannel();
    sendFlow(host, fromArray([1]), other.port1);
    const done = await collect(receiveFlow<number>(other.port2, { window: 2 }), 5, false);
    other.port1.close();
    await turn();
    expect(done).toEqual({ items: [1], ending: 'complete' });
  });
});
