import type { Bus, BusDelivery, DeadLetter, Flow } from '../../src/index.ts';
import type { Equal, Expect } from './equal.ts';

/** What the compiler knows of a bus: a topic's events are what its schema gives, its dead letters carry them. */
interface Order {
  readonly id: string;
}
type Shop = Bus<{ orders: { schema: (value: unknown) => Order }; notes: { store: 'memory' } }>;

export async function topics(bus: Shop): Promise<void> {
  await bus.publish('orders', { id: '1' }, { id: '1' });
  await bus.publish('notes', 'anything goes without a schema');
  // @ts-expect-error: no such topic
  await bus.publish('letters', { id: '1' });
  // @ts-expect-error: no order
  await bus.publish('orders', { name: 'tea' });

  const orders = bus.subscribe('orders', { consumer: 'packer' });
  type _Orders = Expect<Equal<typeof orders, Flow<BusDelivery<Order>>>>;
  const dead = bus.subscribe('orders.dead', { consumer: 'clerk' });
  type _Dead = Expect<Equal<typeof dead, Flow<BusDelivery<DeadLetter<Order>>>>>;
  // @ts-expect-error: no such topic to be dead in
  bus.subscribe('letters.dead', { consumer: 'clerk' });
  bus.consume('orders', { consumer: 'packer' }, (order, delivery) => {
    type _Order = Expect<Equal<typeof order, Order>>;
    type _Delivery = Expect<Equal<typeof delivery, BusDelivery<Order>>>;
  });
}
