/** A supervised, bounded, counted actor in a worker thread, reached from the main thread by its ref. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ActorSystem, MagError, type Ref, remote } from '../../../src/index.ts';
import { expectEqual, measure, percentile, rate, turn } from '../../program.ts';
import { BURST, checksum, keepInFlight, record, tick } from '../../traffic.ts';
import { expectDelivered, plant } from './tree.ts';
import { type CounterMessage, MAILBOX } from './worker-counter.ts';

const PATH = 'bench/counter';

const mount = (spare: boolean) =>
  remote('counter', {
    where: 'worker',
    module: new URL('./worker-counter.ts', import.meta.url),
    spare,
    mailbox: MAILBOX,
  });

function find(system: ActorSystem): Ref<CounterMessage> {
  const found = system.lookup<CounterMessage>(PATH);
  if (found === undefined) throw new Error('the worker did not start');
  return found;
}

/** A question takes room like any message: it waits for it like the sender above. */
async function sumOf(target: Ref<CounterMessage>): Promise<number> {
  for (;;) {
    try {
      return await target.ask({ type: 'SUM' });
    } catch (error) {
      if (!(error instanceof MagError) || error.code !== 'MAG_MAILBOX_FULL') throw error;
      await turn();
    }
  }
}

/** Messages per second until the far end has added all of them up; the sender waits where there is no room. */
const oneway = (kind: 'objects' | 'binary', bursts: number) => async (): Promise<number> => {
  const system = await plant([mount(false)]);
  const target = find(system);
  const hasRoomFor = (n: number): boolean => {
    const sent = kind === 'objects' ? target.send(tick(n)) : target.sendBytes(record(n));
    if (sent === 'dead') throw new Error(`nobody was there for message ${n}`);
    return sent === 'sent';
  };
  let total = 0;
  const perSecond = await rate(
    bursts * BURST,
    async (count) => {
      for (let n = total; n < total + count; n += 1) {
        while (!hasRoomFor(n)) await turn();
        if ((n + 1) % BURST === 0) await turn();
      }
      total += count;
      expectEqual('sum', await sumOf(target), checksum(kind, 0, total));
    },
    Math.ceil(bursts / 4) * BURST,
  );
  expectDelivered(system);
  return perSecond;
};

const roundTrips = (inFlight: number, count: number) => async (): Promise<number> => {
  const target = find(await plant([mount(false)]));
  return rate(count, (calls) => keepInFlight(calls, inFlight, (n) => target.ask({ type: 'ECHO', n })));
};

const CRASHES = 15;
const REFILL_MS = 2_000;

/** Milliseconds, p50: from the message that makes the thread exit to the replacement's answer. */
async function restart(): Promise<number> {
  const began = performance.now();
  const system = await plant([mount(true)]);
  // Between crashes the next spare is loaded, which takes about as long as the first thread did.
  const refill = Math.min(REFILL_MS, 100 + 2 * (performance.now() - began));
  await sleep(refill);
  const times: number[] = [];
  for (let n = 0; n < CRASHES; n += 1) {
    const doomed = find(system);
    const slot = system.slot<CounterMessage>(PATH);
    const down = new Promise((resolve) => doomed.monitor(resolve));
    const sentAt = performance.now();
    slot.send({ type: 'CRASH' });
    await down;
    expectEqual('answer', await slot.ask({ type: 'ECHO', n }), n);
    times.push(performance.now() - sentAt);
    await sleep(refill);
  }
  return percentile(times, 0.5);
}

await measure({
  objects: oneway('objects', 1_500),
  binary: oneway('binary', 8_000),
  'roundtrip.1': roundTrips(1, 8_000),
  'roundtrip.64': roundTrips(64, 60_000),
  restart,
});
