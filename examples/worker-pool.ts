import { createSystem, MagError, remote, type Slot, supervisor } from '../src/index.ts';
import type { Work } from './worker-pool/squares.ts';

/**
 * Two worker threads and a queue of jobs, two of which are poison: one throws in its worker, the other ends the thread
 * it runs in. The supervisor replaces what died (a loaded spare thread stands by); a job that killed its worker twice
 * is set aside, and all others are done.
 */
const worker = (id: string) =>
  remote<Work>(id, {
    where: 'worker',
    module: new URL('./worker-pool/squares.ts', import.meta.url),
    spare: true,
  });

const system = createSystem();
await system.start(
  supervisor('pool', { intensity: { max: 10, within: 60_000 }, children: [worker('one'), worker('two')] }),
);

const queue = [1, 2, -3, 4, 5, 13, 7, 8].map((n) => ({ n, attempts: 0 }));
const done: string[] = [];
const poison: string[] = [];

/** One job at a time, so that what dies with a worker is known. Meanwhile its slot waits for the replacement. */
async function serve(slot: Slot<Work>): Promise<void> {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    try {
      done.push(`${job.n}² = ${await slot.ask({ type: 'SQUARE', n: job.n }, { timeout: 30_000 })}`);
    } catch (error) {
      job.attempts += 1;
      if (job.attempts < 2) queue.push(job);
      else poison.push(`${job.n}: ${error instanceof MagError ? error.code : error}`);
    }
  }
}
await Promise.all(['pool/one', 'pool/two'].map((path) => serve(system.slot<Work>(path))));

console.log('done:', done.sort().join(', '));
console.log('poison:', poison.sort().join(', '));
const restarts = system
  .supervisor('pool')
  .children()
  .reduce((sum, child) => sum + child.restarts, 0);
console.log('workers replaced:', restarts);
await system.stop('done');
