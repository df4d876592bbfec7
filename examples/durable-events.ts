import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, bus, component, createSystem, sleep, supervisor } from '../src/index.ts';

/**
 * A consumer that loses no event: what was published is on the disk, and is delivered until it is acknowledged. What
 * fails is tried again, what fails always becomes a dead letter, and a consumer that comes back after a stop, or a
 * crash, goes on where it was.
 */
interface Order {
  readonly id: string;
  readonly item: string;
}

/** Checked on the way in and again on the way out, where an older version of this program may have written it. */
function order(value: unknown): Order {
  const { id, item } = value as Partial<Order>;
  if (typeof id !== 'string' || typeof item !== 'string') throw new Error('an order has an id and an item');
  return { id, item };
}

const topics = { orders: { schema: order } };
type Shop = Bus<typeof topics>;
const folder = mkdtempSync(join(tmpdir(), 'orders-'));

const packer = component('packer', (context) => {
  const orders = context.system.service<Shop>('bus');
  const consuming = orders.consume(
    'orders',
    { consumer: 'packer', maxAttempts: 2, onEnd: (error) => error !== null && context.fail(error) },
    async ({ item }) => {
      if (item === 'bomb') throw new Error(`nobody packs a ${item}`);
      console.log(`  packed: ${item}`);
    },
  );
  return { stop: async () => consuming.stop() };
});

/** The bus before who uses it: when it is opened anew, so is its consumer (rest_for_one). */
const shop = (children = [packer]) =>
  supervisor('shop', { strategy: 'rest_for_one', children: [bus('bus', { folder, topics }), ...children] });

console.log('a shop without a packer takes orders:');
const first = createSystem();
await first.start(shop([]));
const orders = first.service<Shop>('bus');
for (const [id, item] of [
  ['1', 'tea'],
  ['2', 'bomb'],
  ['3', 'cup'],
  ['1', 'tea'],
] as const) {
  const { offset, duplicate } = await orders.publish('orders', { id, item }, { id });
  console.log(`  order ${id} at offset ${offset}${duplicate ? ', once more: it is there already' : ''}`);
}
await first.stop('the power went out');

console.log('another one, later, with a packer:');
const second = createSystem();
await second.start(shop());
const later = second.service<Shop>('bus');
while (later.counters().orders?.consumers.packer?.lag !== 0) await sleep(second.host, 10);
for await (const { event, ack } of later.subscribe('orders.dead', { consumer: 'clerk' })) {
  console.log(`  set aside after ${event.attempts} tries: ${event.event.item} (${event.reason})`);
  ack();
  break;
}
await second.stop('done');
rmSync(folder, { recursive: true });
