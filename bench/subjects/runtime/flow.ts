/** A Flow from the main thread to a worker thread over a MessagePort, with credit: items per second. */
import { MessageChannel, Worker } from 'node:worker_threads';
import { createFlow, type Flow, nodeHost, sendFlow } from '../../../src/index.ts';
import { expectEqual, measure, rate } from '../../program.ts';
import { BURST, checksum, record, tick } from '../../traffic.ts';
import type { Job } from './flow-consumer.ts';

/** So many items, as they are asked for. */
function produce<T>(count: number, make: (n: number) => T): Flow<T> {
  return createFlow<T>((emitter) => {
    let n = 0;
    return {
      pull: () => {
        while (emitter.demand > 0 && n < count) {
          emitter.next(make(n));
          n += 1;
        }
        if (n === count) emitter.complete();
      },
    };
  });
}

const throughput = (kind: Job['kind'], count: number) => (): Promise<number> => {
  const host = nodeHost();
  const worker = new Worker(new URL('./flow-consumer.ts', import.meta.url));
  worker.on('error', (error) => {
    throw error;
  });
  return rate(count, async (items) => {
    const { port1, port2 } = new MessageChannel();
    const sum = new Promise<unknown>((resolve) => worker.once('message', resolve));
    const job: Job = { port: port2, kind };
    worker.postMessage(job, [port2]);
    const onEnd = (error: unknown): void => {
      if (error !== null) throw error;
    };
    if (kind === 'objects') sendFlow(host, produce(items, tick), port1, { onEnd });
    else sendFlow(host, produce(items, record), port1, { onEnd });
    expectEqual('sum', await sum, checksum(kind, 0, items));
    port1.close();
  });
};

await measure({
  objects: throughput('objects', 1_500 * BURST),
  binary: throughput('binary', 12_000 * BURST),
});
