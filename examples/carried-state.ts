import { createSystem, light, type Question, type StateOptions, sleep, supervisor } from '../src/index.ts';

/**
 * State that outlives a crash, and an upgrade that brings it into a new shape while the actor is in use. By default a
 * restart starts fresh, as in OTP; `keep` carries over what the last handled message left, `valid` keeps a broken state
 * from being carried into the next crash.
 */
type Cart = { type: 'ADD'; item: string } | { type: 'CORRUPT' } | Question<{ type: 'SHOW' }, string>;

const first = light(
  'cart',
  {
    init: (): readonly string[] => [],
    receive: (items, message: Cart) => {
      if (message.type === 'SHOW') message.reply?.(items.join(', '));
      if (message.type === 'CORRUPT') return [...items, ''];
      if (items.includes('')) throw new Error('an item without a name');
      return message.type === 'ADD' ? [...items, message.item] : items;
    },
  },
  { state: { keep: 'last_valid', version: 1, valid: (items) => !items.includes('') } },
);

/** The second version counts equal items; its migration says how a cart of the first one becomes such a map. */
type Counts = Readonly<Record<string, number>>;
const counted = (counts: Counts, item: string): Counts => ({ ...counts, [item]: (counts[item] ?? 0) + 1 });
const state: StateOptions<Counts> = {
  keep: 'last',
  version: 2,
  migrate: { 1: (items: readonly string[]) => items.reduce(counted, {}) },
};
const second = light(
  'cart',
  {
    init: (): Counts => ({}),
    receive: (counts, message: Cart) => {
      if (message.type === 'ADD') return counted(counts, message.item);
      if (message.type !== 'SHOW') return counts;
      message.reply?.(
        Object.entries(counts)
          .map(([item, count]) => `${count} × ${item}`)
          .join(', '),
      );
      return counts;
    },
  },
  { state },
);

const system = createSystem();
await system.start(supervisor('shop', { children: [first] }));
system.onLifecycle(({ type, path, reason }) => {
  if (type === 'failed') console.log(`${path} failed: ${reason}`);
});
const cart = system.slot<Cart>('shop/cart');

for (const item of ['tea', 'cup', 'tea']) cart.send({ type: 'ADD', item });
console.log('version 1:', await cart.ask({ type: 'SHOW' }));

cart.send({ type: 'CORRUPT' });
cart.send({ type: 'ADD', item: 'pot' }); // finds the broken state, crashes, and is lost with what waited behind it
await sleep(system.host, 20);
console.log('after the crash:', await cart.ask({ type: 'SHOW' }));

// What is sent while the old version makes room for the new one waits for it.
const upgraded = system.supervisor('shop').replaceChild(second);
cart.send({ type: 'ADD', item: 'tea' });
await upgraded;
console.log('version 2:', await cart.ask({ type: 'SHOW' }));
await system.stop('done');
