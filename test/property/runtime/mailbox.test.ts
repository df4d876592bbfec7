import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Mailbox } from '../../../src/runtime/mailbox.ts';

const overflow = fc.constantFrom(
  'reject' as const,
  'drop_oldest' as const,
  'drop_newest' as const,
  'backpressure' as const,
);
const steps = fc.array(
  fc.oneof({ weight: 3, arbitrary: fc.constant('offer') }, { weight: 2, arbitrary: fc.constant('take') }),
  {
    maxLength: 200,
  },
);

it('a mailbox is a bounded queue: the same as a list cut at its capacity', () => {
  fc.assert(
    fc.property(overflow, fc.integer({ min: 1, max: 20 }), steps, (policy, capacity, sequence) => {
      const mailbox = new Mailbox({ capacity, overflow: policy });
      const list: number[] = [];
      let dropped = 0;
      sequence.forEach((step, n) => {
        if (step === 'take') {
          expect(mailbox.take()?.message.n).toBe(list.shift());
          return;
        }
        const offer = mailbox.offer({ to: 'a', message: { type: 'N', n }, ask: null });
        if (list.length < capacity) list.push(n);
        else {
          dropped += 1;
          if (policy === 'drop_oldest') {
            expect(offer).toMatchObject({ kind: 'dropped', delivery: { message: { n: list.shift() } } });
            list.push(n);
          } else expect(offer.kind).toBe(policy === 'drop_newest' ? 'dropped' : 'refused');
        }
        expect(mailbox.depth).toBe(list.length);
        expect(mailbox.dropped).toBe(dropped);
      });
      expect(mailbox.clear().map((left) => left.message.n)).toEqual(list);
    }),
  );
});
