import { Writable } from 'node:stream';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { type Flow, type FlowObserver, relayFlow } from '../../src/streams/flow.ts';
import { toActor } from '../../src/streams/flow-actor.ts';
import { batch } from '../../src/streams/flow-batch.ts';
import { mergeMap } from '../../src/streams/flow-merge.ts';
import { pipeTo, toReadable } from '../../src/streams/flow-node.ts';
import { filter, map, take } from '../../src/streams/flow-operators.ts';
import { toObservable } from '../../src/streams/flow-rx.ts';
import { share } from '../../src/streams/flow-share.ts';
import { buffer } from '../../src/streams/flow-sources.ts';
import { window } from '../../src/streams/flow-window.ts';
import { receiveFlow, sendFlow } from '../../src/streams/link-port.ts';
import { host } from '../support/flow-links.ts';
import { FlowProbe, quiet, until } from '../support/flow-probe.ts';

/** A source worked by hand, which notes what its subscriber calls, and when it must not. */
class ManualSource {
  requested = 0;
  cancels = 0;
  readonly broken: string[] = [];
  readonly flow: Flow<number>;
  #observer: FlowObserver<number> | null = null;
  #inTerminal = false;
  #isOver = false;

  constructor() {
    this.flow = relayFlow((observer) => {
      this.#observer = observer;
      const subscription = {
        request: (count: number) => {
          if (this.#inTerminal) this.broken.push('2.3: request inside a terminal signal');
          if (!(count > 0)) this.broken.push(`3.9: request(${count})`);
          if (!this.#isOver) this.requested += count;
        },
        cancel: () => {
          if (!this.#isOver) this.cancels += 1;
        },
      };
      observer.start?.(subscription);
      return subscription;
    });
  }

  next(value: number): void {
    this.requested -= 1;
    this.#observer!.next(value);
  }

  complete(): void {
    this.#terminal(() => this.#observer!.complete());
  }

  error(error: Error): void {
    this.#terminal(() => this.#observer!.error(error));
  }

  #terminal(signal: () => void): void {
    this.#inTerminal = true;
    this.#isOver = true;
    signal();
    this.#inTerminal = false;
  }
}

/** A sink at work: what it made of its end, and how to make it want no more. */
interface Sink {
  /** Settles with 'complete', or the error's message. */
  readonly outcome: Promise<string>;
  readonly stop: (() => void) | null;
}

const settling = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'complete',
    (error: Error) => error.message,
  );

const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing) close();
});

function probing(flow: Flow<unknown>): Sink {
  const probe = FlowProbe.on(flow);
  probe.request(8);
  const outcome = (async () => {
    await until(() => probe.isOver);
    return probe.ending === 'complete' ? 'complete' : (probe.reason as Error).message;
  })();
  return { outcome, stop: () => probe.cancel() };
}

const sinks: Readonly<Record<string, (flow: Flow<number>) => Sink>> = {
  pipeTo: (flow) => {
    const writable = new Writable({ objectMode: true, write: (_chunk, _encoding, done) => done() });
    return { outcome: settling(pipeTo(flow, writable)), stop: () => void writable.destroy() };
  },
  toReadable: (flow) => {
    const readable = toReadable(flow);
    return { outcome: settling(readable.toArray()), stop: () => void readable.destroy() };
  },
  toActor: (flow) => {
    const controller = new AbortController();
    const target = { offer: () => Promise.resolve('sent' as const) };
    return {
      outcome: settling(toActor(flow, target, { signal: controller.signal })),
      stop: () => controller.abort(new Error('stopped')),
    };
  },
  'for await': (flow) => ({
    outcome: settling(
      (async () => {
        for await (const _ of flow);
      })(),
    ),
    stop: null,
  }),
  toObservable: (flow) => {
    let stop = (): void => {};
    const outcome = settling(
      new Promise<void>((resolve, reject) => {
        const subscription = toObservable(flow, buffer(3)).subscribe({ complete: resolve, error: reject });
        stop = () => subscription.unsubscribe();
      }),
    );
    return { outcome, stop };
  },
  'a link': (flow) => {
    const { port1, port2 } = new MessageChannel();
    closing.push(() => port1.close());
    sendFlow(host, flow, port1);
    return probing(receiveFlow(port2, { window: 8 }));
  },
  map: (flow) => probing(flow.pipe(map((n) => n))),
  filter: (flow) => probing(flow.pipe(filter((n) => n > 1))),
  batch: (flow) => probing(flow.pipe(batch({ size: 3 }))),
  mergeMap: (flow) => probing(flow.pipe(mergeMap((n) => [n], { concurrency: 2 }))),
  share: (flow) => probing(flow.pipe(share({ capacity: 4, slow: 'wait' }))),
  window: (flow) =>
    probing(
      flow.pipe(
        window({ size: 2 }),
        mergeMap((items) => items, { concurrency: 2 }),
      ),
    ),
};

describe.each(Object.entries(sinks))('%s keeps a subscriber’s rules of Reactive Streams', (_name, sink) => {
  it('2.1 asks for what it takes, again and again', async () => {
    const source = new ManualSource();
    const { outcome } = sink(source.flow);
    for (let n = 0; n < 6; n += 1) {
      await until(() => source.requested > 0);
      source.next(n);
    }
    await quiet();
    source.complete();
    expect(await outcome).toBe('complete');
    expect(source.broken).toEqual([]);
  });

  it('2.3 and 2.4 calls nothing inside a terminal signal, and nothing that matters after', async () => {
    const source = new ManualSource();
    const { outcome, stop } = sink(source.flow);
    await until(() => source.requested > 0);
    source.next(1);
    source.error(new Error('over'));
    expect(await outcome).toBe('over');
    stop?.();
    await quiet();
    expect(source.broken).toEqual([]);
    expect(source.cancels).toBe(0);
  });

  it('2.6 cancels when it wants no more, and 2.8 bears an item that comes after', async () => {
    const source = new ManualSource();
    const { outcome, stop } = sink(source.flow);
    if (stop === null) return;
    outcome.catch(() => {});
    await until(() => source.requested > 0);
    stop();
    await until(() => source.cancels > 0);
    const asked = source.requested;
    source.next(1);
    await quiet();
    source.complete();
    await quiet();
    // By rule 3.7 it may say so again, but it may not ask any more.
    expect(source.requested).toBeLessThanOrEqual(asked);
    expect(source.broken).toEqual([]);
  });

  it('2.9 and 2.10 bears an end that comes before it has asked', async () => {
    const empty = new ManualSource();
    const first = sink(empty.flow);
    if (empty.requested === 0) await quiet(1);
    empty.complete();
    expect(await first.outcome).toBe('complete');
    const broken = new ManualSource();
    const second = sink(broken.flow);
    broken.error(new Error('at once'));
    expect(await second.outcome).toBe('at once');
  });
});

describe('take keeps a subscriber’s rules of Reactive Streams', () => {
  it('2.6 cancels its source with the last item, having asked for no more', () => {
    const source = new ManualSource();
    const probe = FlowProbe.on(source.flow.pipe(take(2)));
    probe.request(Number.POSITIVE_INFINITY);
    expect(source.requested).toBe(2);
    source.next(1);
    source.next(2);
    expect(source.cancels).toBe(1);
    expect(probe.ending).toBe('complete');
  });
});
