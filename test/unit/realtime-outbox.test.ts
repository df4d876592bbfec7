import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newCounters } from '../../src/actors/realtime/counters.ts';
import { type ByteSink, Flusher, Outbox } from '../../src/actors/realtime/outbox.ts';
import { LIMITS } from '../../src/limits.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';

class Sink implements ByteSink {
  writable = true;
  writableLength = 0;
  stalled = false;
  readonly writes: Buffer[] = [];

  write(data: Uint8Array): boolean {
    this.writes.push(Buffer.from(data));
    if (this.stalled) this.writableLength += data.byteLength;
    return !this.stalled;
  }
}

/** A flusher whose turns come when the test says so. */
function setUp() {
  const turns: (() => void)[] = [];
  const host = { ...nodeHost(), defer: (callback: () => void) => void turns.push(callback) };
  const counters = newCounters();
  const flusher = new Flusher(host, counters);
  const overflows: Sink[] = [];
  const add = () => {
    const sink = new Sink();
    return { sink, outbox: new Outbox(flusher, sink, () => overflows.push(sink)) };
  };
  const turn = (): void => turns.splice(0).forEach((callback) => void callback());
  const settle = (): void => {
    while (turns.length > 0) turn();
  };
  return { add, turn, settle, turns, counters, overflows };
}

describe('an outbox', () => {
  it('writes all frames of a turn at once, in order', () => {
    const { add, turn, counters } = setUp();
    const { sink, outbox } = add();
    for (const text of ['a', 'b', 'c']) outbox.push(Buffer.from(text));
    expect(sink.writes).toEqual([]);
    turn();
    expect(sink.writes.map(String)).toEqual(['abc']);
    expect(counters).toMatchObject({ framesOut: 3, bytesOut: 3, writes: 1 });
  });

  it('gives every connection its own frames in order, however they are interleaved', () => {
    const step = fc.oneof(
      fc.record({
        to: fc.array(fc.nat(4), { minLength: 1 }),
        text: fc.string({ minLength: 1, maxLength: 3 }),
      }),
      fc.constant('turn' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { add, turn, settle } = setUp();
        const boxes = Array.from({ length: 5 }, add);
        const expected = boxes.map(() => '');
        for (const next of steps) {
          if (next === 'turn') {
            turn();
            continue;
          }
          const frame = Buffer.from(next.text);
          for (const at of next.to) {
            boxes[at]?.outbox.push(frame);
            expected[at] += next.text;
          }
        }
        settle();
        expect(boxes.map(({ sink }) => Buffer.concat(sink.writes).toString())).toEqual(expected);
      }),
    );
  });

  it('shares one buffer among neighbours with equal frames', () => {
    const { add, turn } = setUp();
    const boxes = Array.from({ length: 3 }, () => {
      const { outbox, sink } = add();
      const written: Uint8Array[] = [];
      sink.write = (data) => written.push(data) > 0;
      return { outbox, written };
    });
    for (const frame of [Buffer.from('x'), Buffer.from('y')])
      for (const { outbox } of boxes) outbox.push(frame);
    turn();
    expect(new Set(boxes.flatMap(({ written }) => written)).size).toBe(1);
  });

  it('flushes a bounded number of sockets before the event loop may read again', () => {
    const { add, turn } = setUp();
    const boxes = Array.from({ length: LIMITS.flushSockets + 1 }, add);
    for (const { outbox } of boxes) outbox.push(Buffer.from('x'));
    turn();
    expect(boxes.filter(({ sink }) => sink.writes.length > 0).length).toBe(LIMITS.flushSockets);
    turn();
    expect(boxes.every(({ sink }) => sink.writes.length === 1)).toBe(true);
  });

  it('overflows once when more waits than the bound, and keeps nothing', () => {
    const { add, settle, overflows } = setUp();
    const [slow, quick] = [add(), add()];
    slow.sink.stalled = true;
    const frame = Buffer.alloc(1024 * 1024);
    for (let count = 0; count < 8; count += 1) {
      slow.outbox.push(frame);
      quick.outbox.push(frame);
      settle();
    }
    expect(overflows).toEqual([slow.sink]);
    expect(slow.outbox.pending).toBeLessThanOrEqual(LIMITS.outboxBytes);
    expect(quick.sink.writes.length).toBe(8);
  });

  it('takes nothing after its end, and writes to no socket that is gone', () => {
    const { add, settle } = setUp();
    const [ended, gone] = [add(), add()];
    ended.outbox.push(Buffer.from('a'));
    ended.outbox.end();
    ended.outbox.push(Buffer.from('b'));
    gone.sink.writable = false;
    gone.outbox.push(Buffer.from('a'));
    settle();
    expect([ended.sink.writes.map(String), gone.sink.writes]).toEqual([['a'], []]);
  });
});
