import { assign, fromPromise, setup } from 'xstate';
import { createSystem, machine, type Question, sleep, supervisor } from '../src/index.ts';

/**
 * An XState machine as an actor: its events are its protocol, one of them with a `reply` can be asked, and an error
 * anywhere inside it is its supervisor's business. Each order is a child of a dynamic supervisor; one that is delivered
 * or cancelled has reached its final state, and is done.
 */
type Order =
  | { type: 'PAY'; card: string }
  | { type: 'SHIP' }
  | { type: 'CANCEL' }
  | Question<{ type: 'STATUS' }, { readonly state: string; readonly receipt: string | null }>;

const order = setup({
  types: {
    events: {} as Order,
    input: {} as { item: string },
    context: {} as { item: string; receipt: string | null },
  },
  actors: {
    payment: fromPromise<string, { item: string; card: string }>(async ({ input }) => {
      if (input.card === 'stolen') throw new Error('the bank said no');
      return `${input.item} paid with ${input.card}`;
    }),
  },
  delays: { PATIENCE: 1_000 },
}).createMachine({
  context: ({ input }) => ({ item: input.item, receipt: null }),
  initial: 'open',
  on: {
    STATUS: {
      actions: ({ event, context, self }) =>
        event.reply?.({ state: String(self.getSnapshot().value), receipt: context.receipt }),
    },
  },
  states: {
    open: { on: { PAY: 'paying', CANCEL: 'cancelled' }, after: { PATIENCE: 'cancelled' } },
    paying: {
      invoke: {
        src: 'payment',
        input: ({ context, event }) => ({
          item: context.item,
          card: event.type === 'PAY' ? event.card : '',
        }),
        onDone: { target: 'paid', actions: assign({ receipt: ({ event }) => event.output }) },
        // No onError: a payment that fails is the machine's failure, which its supervisor decides about.
      },
    },
    paid: { on: { SHIP: 'delivered' } },
    delivered: { type: 'final' },
    cancelled: { type: 'final' },
  },
});

const system = createSystem();
await system.start(supervisor('orders', { strategy: 'dynamic', children: [] }));
const orders = system.supervisor('orders');
const place = async (item: string) => {
  const ref = await orders.startChild(machine(item, order, { input: { item }, restart: 'temporary' }));
  const ended = new Promise<void>((resolve) => {
    ref.monitor(({ reason }) => {
      console.log(`${item} ended: ${reason.kind === 'error' ? reason.error.message : reason.kind}`);
      resolve();
    });
  });
  return { ref, ended };
};

const tea = await place('tea');
console.log('tea:', await tea.ref.ask({ type: 'STATUS' }));
tea.ref.send({ type: 'PAY', card: 'visa' });
await sleep(system.host, 10);
console.log('tea:', await tea.ref.ask({ type: 'STATUS' }));
tea.ref.send({ type: 'SHIP' });
await tea.ended;

const gold = await place('gold');
gold.ref.send({ type: 'PAY', card: 'stolen' });
await gold.ended;

const forgotten = await place('forgotten');
await forgotten.ended;
console.log('orders left:', orders.count().active);
await system.stop('done');
