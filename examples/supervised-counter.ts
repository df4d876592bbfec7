import { createSystem, light, nodeHost, type Question, supervisor } from '../src/index.ts';

/**
 * A counter that cannot count past two: its supervisor brings it back, starting from zero.
 * Run it with `node examples/supervised-counter.ts`.
 */
type Counter = { type: 'ADD' } | Question<{ type: 'READ' }, number>;

const counter = light('counter', {
  init: () => 0,
  receive: (count: number, message: Counter) => {
    if (message.type === 'READ') message.reply?.(count);
    if (message.type !== 'ADD') return count;
    if (count === 2) throw new Error('three is too many');
    return count + 1;
  },
});

const system = createSystem({ node: 'main', host: nodeHost() });
system.onLifecycle((event) => {
  if (event.type === 'failed' || event.type === 'restarted')
    console.log(`${event.type}: ${event.path}${event.reason === null ? '' : ` (${event.reason})`}`);
});
await system.start(
  supervisor('app', { strategy: 'one_for_one', intensity: { max: 3, within: 5_000 }, children: [counter] }),
);

// A slot is a name: it reaches whoever holds the path, and waits while that is being restarted.
const slot = system.slot<Counter>('app/counter');
for (let n = 0; n < 3; n += 1) {
  slot.send({ type: 'ADD' });
  console.log(`count: ${await slot.ask({ type: 'READ' }).catch((error: Error) => error.message)}`);
}
console.log(`count after the restart: ${await slot.ask({ type: 'READ' })}`);
await system.stop('done');
