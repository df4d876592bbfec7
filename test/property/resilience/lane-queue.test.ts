import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaneQueue, type Waiting } from '../../../src/machines/lane-queue.ts';

interface Item extends Waiting {
  readonly id: number;
}

const item = (id: number, lane: number): Item => ({ id, lane, before: null, after: null, queued: false });

const moves = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('push'), value: fc.nat(2) }) },
    fc.record({ kind: fc.constantFrom('remove', 'again'), value: fc.nat(1_000) }),
    fc.record({ kind: fc.constant('serve'), value: fc.constant(0) }),
  ),
  { maxLength: 80 },
);

describe('a queue with lanes', () => {
  it('behaves like an array that is sorted by lane and kept in order of arrival', () => {
    fc.assert(
      fc.property(moves, (sequence) => {
        const queue = new LaneQueue<Item>(3);
        let model: Item[] = [];
        const gone: Item[] = [];
        const leave = (one: Item | null | undefined): void => {
          if (one === null || one === undefined) return;
          queue.remove(one);
          model = model.filter((other) => other !== one);
          gone.push(one);
        };
        sequence.forEach(({ kind, value }, id) => {
          if (kind === 'push') {
            const one = item(id, value);
            queue.push(one);
            model.push(one);
          } else if (kind === 'remove') leave(model[value % Math.max(1, model.length)]);
          else if (kind === 'serve') leave(queue.next());
          else if (gone.length > 0) queue.remove(gone[value % gone.length]!);
          const sorted = model.toSorted((a, b) => a.lane - b.lane); // stable: the order of arrival stays
          expect(queue.size).toBe(model.length);
          expect(queue.next()?.id).toBe(sorted.at(0)?.id);
          expect(queue.last()?.id).toBe(sorted.at(-1)?.id);
          for (const lane of [0, 1, 2])
            expect(queue.first(lane)?.id).toBe(model.find((one) => one.lane === lane)?.id);
        });
        const order: number[] = [];
        const expected = model.toSorted((a, b) => a.lane - b.lane).map(({ id }) => id);
        for (let next = queue.next(); next !== null; next = queue.next()) {
          order.push(next.id);
          queue.remove(next);
        }
        expect(order).toEqual(expected);
      }),
    );
  });
});
