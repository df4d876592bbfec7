import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bytes } from '../../../src/runtime/kernel/bytes.ts';
import { WaitingLine } from '../../../src/runtime/kernel/waiting-line.ts';
import { isFlat } from '../../../src/runtime/placement/cloneable.ts';
import { type Chunk, Outbox } from '../../../src/runtime/placement/outbox.ts';
import { readRecords } from '../../../src/runtime/placement/records.ts';
import type { Message } from '../../../src/runtime/spec.ts';
import { virtualHost } from '../../../src/testing/virtual-host.ts';

const clone = <T>(value: T): T => structuredClone(value);

const flat = fc
  .dictionary(fc.string(), fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.integer()))
  .map((fields): Message => ({ ...fields, type: 'FLAT' }));
const deep = fc
  .anything({ withDate: true, withMap: true, withSet: true, withTypedArray: true, withBigInt: true })
  .map((value): Message => ({ type: 'DEEP', value }));
const sent = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.oneof(flat, deep, fc.uint8Array({ maxLength: 200 })),
);

/** What comes out at the other end, in order. */
function unpack(chunk: Chunk, out: [target: number, content: unknown][]): void {
  if (chunk instanceof ArrayBuffer) {
    readRecords(chunk, (target, data, start, end) => out.push([target, data.slice(start, end)]));
    return;
  }
  const list = typeof chunk === 'string' ? (JSON.parse(chunk) as unknown[]) : (chunk as readonly unknown[]);
  let target = -1;
  for (const item of list) {
    if (typeof item === 'number') target = item;
    else out.push([target, item]);
  }
}

describe('what crosses in parcels', () => {
  it('comes out as it went in, for each target and over all of them in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { maxLength: 1_200 }), async (messages) => {
        const host = virtualHost(1);
        const { port1, port2 } = new MessageChannel();
        const outbox = new Outbox(host, (parcel, transfer) => port1.postMessage(parcel, transfer.slice()));
        for (const [target, content] of messages) {
          const message = content instanceof Uint8Array ? new Bytes(content) : content;
          outbox.message(target, message, isFlat(message), 0, 0, null);
        }
        await host.runUntilIdle();
        const out: [number, unknown][] = [];
        for (let got = receiveMessageOnPort(port2); got !== undefined; got = receiveMessageOnPort(port2))
          for (const chunk of got.message as readonly Chunk[]) unpack(chunk, out);
        port1.close();
        expect(out).toEqual(messages.map(([target, content]) => [target, clone(content)]));
      }),
      { numRuns: 60 },
    );
  });

  it('goes as text only where that is the same', () => {
    fc.assert(
      fc.property(fc.oneof(flat, deep), (message) => {
        if (isFlat(message)) expect(JSON.parse(JSON.stringify(message))).toStrictEqual(clone({ ...message }));
      }),
    );
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -0, undefined, {}, 1n])
      expect(isFlat({ type: 'A', value })).toBe(false);
  });
});

describe('who waits in line', () => {
  it('comes in order, and who gave up does not come', () => {
    const act = fc.oneof(fc.constant('add'), fc.constant('next'), fc.nat({ max: 20 }));
    fc.assert(
      fc.property(fc.array(act, { maxLength: 400 }), (acts) => {
        const line = new WaitingLine<{ readonly n: number }>();
        const model: { readonly n: number }[] = [];
        let n = 0;
        for (const what of acts) {
          if (what === 'add') {
            const item = { n: n++ };
            line.add(item);
            model.push(item);
          } else if (what === 'next') expect(line.next()).toBe(model.shift());
          else {
            const [gone] = model.splice(Number(what), 1);
            if (gone !== undefined) line.delete(gone);
          }
          expect(line.size).toBe(model.length);
        }
      }),
    );
  });
});
