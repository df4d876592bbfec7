import { createSystem, remote, supervisor } from '../src/index.ts';
import type { Tally } from './rolling-update/tally.ts';

/**
 * A subtree moves to another worker thread while it is in use, and a rolling update is no more than that: the new
 * thread loads the module as it is by then. The state goes along, what is sent meanwhile waits and keeps its order, and
 * references stay good: a move ends no incarnation.
 */
const tally = remote('tally', {
  where: 'worker',
  module: new URL('./rolling-update/tally.ts', import.meta.url),
});

const system = createSystem();
await system.start(supervisor('app', { children: [tally] }));
const counter = system.lookup<Tally>('app/tally/counter');
if (counter === undefined) throw new Error('the counter is not there');
counter.monitor(({ reason }) => console.log('the counter ended:', reason.kind));
const count = (times: number): void => {
  for (let n = 0; n < times; n += 1) counter.send({ type: 'COUNT' });
};

count(500);
const before = await counter.ask({ type: 'TOTAL' });
console.log('counted:', before.total);

count(100); // on their way
const moved = system.move('app/tally');
count(100); // sent while it moves
await moved;
count(100);

const after = await counter.ask({ type: 'TOTAL' });
console.log('counted:', after.total);
console.log('in another thread:', after.thread !== before.thread);
await system.stop('done');
