import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Mailbox } from '../../../src/runtime/kernel/mailbox.ts';

const overflow = fc.constantFrom(
  'reject' as const,
  'drop_oldest' as const,
  'drop_newest' as const,
  'backpressure' as const,
);
const steps = fc.array(
  fc.oneof({ weight: 3, arbitrary: fc.constant('offer') }, { weight: 2, arbitrary: fc.constant('take') }),
  { maxLength: 200 },
);

it('a mailbox is a bounded queue: the same as a list cut at its capacity', () => {
  fc.assert(
    fc.property(overflow, fc.integer({ min: 1, max: 20 }), steps, (policy, capacity, sequence) => {
      const mailbox = new Mailbox({ capacity, overflow: policy });
      const list: { type: string; n: number }[] = [];
      let dropped = 0;
      sequence.forEach((step, n) => {
        if (step === 'take') {
          expect(mailbox.take()).toBe(list.shift());
          return;
        }
        const message = { type: 'N', n };
        const left = mailbox.offer(message);
        if (list.length < capacity) {
          expect(left).toBeNull();
          list.push(message);
        } else {
          dropped += 1;
          if (policy === 'drop_oldest') {
            expect(left).toBe(list.shift());
            list.push(message);
          } else expect(left).toBe(message);
        }
        expect(mailbox.depth).toBe(list.length);
        expect(mailbox.full).toBe(list.length === capacity);
        expect(mailbox.dropped).toBe(dropped);
      });
      expect(mailbox.clear()).toEqual(list);
      expect(mailbox.depth).toBe(0);
      expect(mailbox.offer({ type: 'AGAIN' })).toBeNull();
      expect(mailbox.take()).toEqual({ type: 'AGAIN' });
    }),
  );
});
