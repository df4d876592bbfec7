import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Flow } from '../../../src/streams/flow.ts';
import { createFlow } from '../../../src/streams/flow.ts';
import { mergeMap } from '../../../src/streams/flow-merge.ts';
import { tap } from '../../../src/streams/flow-operators.ts';
import { buffer, fromArray, fromPush } from '../../../src/streams/flow-sources.ts';
import { receiveFlow, receiveRecords, sendFlow } from '../../../src/streams/link-port.ts';
import { host, type LinkKind } from '../../support/flow-links.ts';
import { FlowProbe, quiet, until } from '../../support/flow-probe.ts';
import { counting } from '../../support/flow-subjects.ts';

/** What every link keeps, whatever carries it. */
export function creditContract(kind: LinkKind): void {
  describe(`a flow over ${kind.name}`, () => {
    afterAll(() => kind.close());
    windowRules(kind);
    endingRules(kind);
    recordRules(kind);
    brokenPeers(kind);
  });
}

function windowRules(kind: LinkKind): void {
  it('sends nothing before somebody subscribes, and then no more than the window', async () => {
    const { sender, receiver } = await kind.open();
    let emitted = 0;
    const count = (): void => {
      emitted += 1;
    };
    sendFlow(host, counting(10_000).pipe(tap(count)), sender);
    await quiet(30);
    expect(emitted).toBe(0);
    const probe = FlowProbe.on(receiveFlow<number>(receiver, { window: 20 }));
    await until(() => emitted === 20);
    await quiet(30);
    expect(emitted).toBe(20);
    probe.request(7);
    await until(() => probe.items.length === 7);
    await quiet(30);
    expect(emitted).toBe(20);
    probe.cancel();
  });

  it('lets a slow consumer at the far end slow the source at the near end', async () => {
    const { sender, receiver } = await kind.open();
    let emitted = 0;
    let ahead = 0;
    sendFlow(
      host,
      counting(2_000).pipe(
        tap(() => {
          emitted += 1;
          ahead = Math.max(ahead, emitted - probe.items.length);
        }),
      ),
      sender,
    );
    const probe = FlowProbe.on(receiveFlow<number>(receiver, { window: 32 }));
    probe.onItem = () => setImmediate(() => probe.request(1));
    probe.request(1);
    await until(() => probe.isOver);
    expect(probe.items).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
    expect(ahead).toBeGreaterThan(0);
    expect(ahead).toBeLessThanOrEqual(32);
    expect(probe.broken).toEqual([]);
  });

  it('counts what a mergeMap works on as not consumed: its concurrency lies inside the window', async () => {
    const { sender, receiver } = await kind.open();
    let emitted = 0;
    const count = (): void => {
      emitted += 1;
    };
    const gates: ((value: number) => void)[] = [];
    sendFlow(host, counting(1_000).pipe(tap(count)), sender);
    const probe = FlowProbe.on(
      receiveFlow<number>(receiver, { window: 16 }).pipe(
        mergeMap(() => new Promise<number>((resolve) => gates.push(resolve)), { concurrency: 10 }),
      ),
    );
    probe.request(1_000);
    await until(() => gates.length === 10);
    await quiet(30);
    expect(emitted).toBe(16);
    for (const open of gates.splice(0)) open(1);
    await until(() => gates.length === 10);
    await quiet(30);
    expect(emitted - probe.items.length).toBeLessThanOrEqual(16);
    probe.cancel();
  });

  it('never stalls, whatever its subscriber asks for', async () => {
    // What it asked for at most says little about what it works on: few at a time, then many, then one.
    const asks = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 6 });
    const run = fc.asyncProperty(fc.integer({ min: 1, max: 70 }), asks, async (window, pattern) => {
      const { sender, receiver } = await kind.open();
      sendFlow(host, counting(400), sender);
      const probe = FlowProbe.on(receiveFlow<number>(receiver, { window }));
      let round = 0;
      let left = 0;
      const ask = (): void => {
        left = pattern[Math.min(round, pattern.length - 1)]!;
        round += 1;
        probe.request(left);
      };
      probe.onItem = () => {
        left -= 1;
        if (left === 0) ask();
      };
      ask();
      await until(() => probe.isOver);
      expect(probe.items).toHaveLength(400);
    });
    await fc.assert(run, { numRuns: 40, examples: [[64, [40, 1]]] });
  });
}

function endingRules(kind: LinkKind): void {
  it('stops the source when the far end cancels', async () => {
    const { sender, receiver } = await kind.open();
    const source = fromPush<number>(buffer(10));
    let outcome: unknown = 'none';
    sendFlow(host, source.flow, sender, {
      onEnd: (error) => {
        outcome = error;
      },
    });
    const probe = FlowProbe.on(receiveFlow<number>(receiver, { window: 4 }));
    probe.request(10);
    source.push(1);
    await until(() => probe.items.length === 1);
    probe.cancel();
    await until(() => !source.push(2));
    expect(outcome).toBe(null);
    expect(probe.items).toEqual([1]);
  });

  it('tells an error with its code, after the items before it', async () => {
    const { sender, receiver } = await kind.open();
    const source = fromPush<number>(buffer(10));
    for (const n of [1, 2, 3]) source.push(n);
    source.error(Object.assign(new Error('gone'), { code: 'MAG_FEED_UNAVAILABLE' }));
    sendFlow(host, source.flow, sender);
    const probe = FlowProbe.on(receiveFlow<number>(receiver, { window: 8 }));
    probe.request(5);
    await until(() => probe.isOver);
    expect(probe.items).toEqual([1, 2, 3]);
    expect(probe.reason).toMatchObject({ message: 'gone', code: 'MAG_FEED_UNAVAILABLE' });
  });

  it('tells no more of an error than fits into a frame', async () => {
    const { sender, receiver } = await kind.open();
    sendFlow(host, counting(0, new Error('x'.repeat(3_000_000))), sender);
    const probe = FlowProbe.on(receiveFlow<number>(receiver, { window: 8 }));
    await until(() => probe.isOver);
    expect((probe.reason as Error).message).toMatch(/^x{2048}$/);
  });

  it('is MAG_LINK_CLOSED at both ends where the connection is cut', async () => {
    const { sender, receiver, cut } = await kind.open();
    let outcome: unknown = null;
    sendFlow(host, fromPush<number>(buffer(1)).flow, sender, {
      onEnd: (error) => {
        outcome = error;
      },
    });
    const probe = FlowProbe.on(receiveFlow<number>(receiver, { window: 2 }));
    await quiet();
    cut();
    await until(() => probe.isOver && outcome !== null);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_CLOSED' });
    expect(outcome).toMatchObject({ code: 'MAG_LINK_CLOSED' });
  });

  it('is MAG_LINK_CLOSED at the far end where the sender stops, and the source is cancelled', async () => {
    const { sender, receiver } = await kind.open();
    const source = fromPush<number>(buffer(4));
    const stop = sendFlow(host, source.flow, sender);
    const probe = FlowProbe.on(receiveFlow<number>(receiver, { window: 2 }));
    probe.request(1);
    source.push(1);
    await until(() => probe.items.length === 1);
    stop();
    stop();
    await until(() => probe.isOver);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_CLOSED' });
    expect(source.push(2)).toBe(false);
  });

  it('works whichever end comes first, and one after the other in both directions', async () => {
    const { sender, receiver } = await kind.open();
    const there = FlowProbe.on(receiveFlow<number>(receiver, { window: 8 }));
    const back = FlowProbe.on(receiveFlow<string>(sender, { window: 8 }));
    there.request(100);
    back.request(100);
    await quiet();
    sendFlow(host, counting(50), sender);
    sendFlow(host, fromArray(['a', 'b', 'c']), receiver);
    await until(() => there.isOver && back.isOver);
    expect(there.items).toHaveLength(50);
    expect(back.items).toEqual(['a', 'b', 'c']);
  });

  it('refuses an item that cannot be encoded, after those before it', async () => {
    const { sender, receiver } = await kind.open();
    const ring: { self?: unknown; run: () => void } = { run: () => {} };
    ring.self = ring;
    let outcome: unknown = null;
    sendFlow(host, fromArray<unknown>([1, 2, ring, 4]), sender, {
      onEnd: (error) => {
        outcome = error;
      },
    });
    const probe = FlowProbe.on(receiveFlow<unknown>(receiver, { window: 8 }));
    probe.request(8);
    await until(() => probe.isOver);
    expect(probe.items).toEqual([1, 2]);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_ITEM_INVALID' });
    expect(outcome).toMatchObject({ code: 'MAG_LINK_ITEM_INVALID' });
  });
}

/** Records of all lengths, told apart by their first bytes. */
const record = (place: number): Uint8Array => new Uint8Array(place % 90).fill(place % 251);

function records(count: number): Flow<Uint8Array> {
  return createFlow((emitter) => {
    let at = 0;
    return {
      pull: () => {
        while (emitter.demand > 0 && at < count) emitter.next(record(at++));
        if (at >= count) emitter.complete();
      },
    };
  });
}

function recordRules(kind: LinkKind): void {
  it('carries records, empty ones too, byte for byte, among other items in order', async () => {
    const { sender, receiver } = await kind.open();
    const mixed = [record(0), record(5), 'text', { n: 1 }, record(89), record(0), 7, record(1)];
    sendFlow(host, fromArray<unknown>(mixed), sender);
    const probe = FlowProbe.on(receiveFlow<unknown>(receiver, { window: 3 }));
    probe.request(100);
    await until(() => probe.isOver);
    const plain = (value: unknown): unknown => (value instanceof Uint8Array ? [...value] : value);
    expect(probe.items.map(plain)).toEqual(mixed.map(plain));
  });

  it('gives records by the batch, never more of them under way than the window', async () => {
    const { sender, receiver } = await kind.open();
    let emitted = 0;
    let taken = 0;
    let ahead = 0;
    sendFlow(
      host,
      records(3_000).pipe(
        tap(() => {
          emitted += 1;
          ahead = Math.max(ahead, emitted - taken);
        }),
      ),
      sender,
    );
    const seen: number[][] = [];
    const probe = FlowProbe.on(receiveRecords(receiver, { window: 100 }));
    probe.onItem = (batch) => {
      for (const one of batch) seen.push([...one]);
      taken += batch.length;
      setImmediate(() => probe.request(1));
    };
    probe.request(1);
    await until(() => probe.isOver);
    expect(seen).toEqual(Array.from({ length: 3_000 }, (_, place) => [...record(place)]));
    expect(ahead).toBeLessThanOrEqual(100);
  });

  it('ends a flow of records with an error where an item is none', async () => {
    const { sender, receiver } = await kind.open();
    sendFlow(host, fromArray<unknown>([record(3), 'text']), sender);
    const probe = FlowProbe.on(receiveRecords(receiver, { window: 10 }));
    probe.request(10);
    await until(() => probe.isOver);
    expect(probe.items).toHaveLength(1);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_FRAME_INVALID' });
  });
}

function brokenPeers(kind: LinkKind): void {
  const forReceiver: [string, unknown][] = [
    ['a number', 17],
    ['a list', [1, 2]],
    ['null', null],
    ['a frame of no known kind', { upside: 'down' }],
    ['items that are no list', { items: 'many' }],
    ['more items than were granted', { items: Array.from({ length: 11 }, () => 0) }],
    ['records without their table', new Uint8Array([1, 2, 3])],
    ['records that end outside their frame', new Uint8Array([9, 9, 0, 0, 1, 0, 0, 0])],
    ['a table longer than its frame', new Uint8Array([255, 255, 255, 255])],
    ['bytes of no record', new Uint8Array([1, 2, 3, 4, 0, 0, 0, 0])],
    ['records that end before they begin', new Uint8Array([9, 9, 9, 9, 4, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0])],
    ['records of an odd length', new Uint8Array([9, 1, 0, 0, 0, 1, 0, 0, 0])],
  ];
  it.each(forReceiver)('takes %s for an error, at the receiving end', async (_name, frame) => {
    const { receiver, sendRaw } = await kind.open();
    const probe = FlowProbe.on(receiveFlow<unknown>(receiver, { window: 10 }));
    probe.request(10);
    await quiet();
    sendRaw(frame);
    sendRaw({ complete: true });
    await until(() => probe.isOver);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_FRAME_INVALID' });
    expect(probe.items).toEqual([]);
  });

  const forSender: [string, unknown][] = [
    ['a word', 'please'],
    ['null', null],
    ['a frame of no known kind', { more: 3 }],
    ['a grant of half an item', { upTo: 0.5 }],
    ['a grant below nothing', { upTo: -1 }],
    ['a grant that is a text', { upTo: '10' }],
    ['a grant of all there is', { upTo: Number.MAX_SAFE_INTEGER }],
  ];
  it.each(forSender)('takes %s for an error, at the sending end', async (_name, frame) => {
    const { sender, answerRaw } = await kind.open();
    const source = fromPush<number>(buffer(4));
    let outcome: unknown = null;
    sendFlow(host, source.flow, sender, {
      onEnd: (error) => {
        outcome = error;
      },
    });
    await until(() => {
      // A socket may not be open yet: it throws until it is.
      try {
        answerRaw(frame);
        return true;
      } catch {
        return false;
      }
    });
    await until(() => outcome !== null);
    expect(outcome).toMatchObject({ code: 'MAG_LINK_FRAME_INVALID' });
    expect(source.push(1)).toBe(false);
  });
}
