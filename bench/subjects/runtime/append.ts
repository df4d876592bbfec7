/** 64 publishers to a durable topic, each of which goes on as soon as its last event is on disk: events per second. */

import { type Bus, bus } from '../../../src/index.ts';
import { event, MS, WARM_UP_MS, WRITERS } from '../../events.ts';
import { expectEqual, measure } from '../../program.ts';
import { plant } from './tree.ts';

const TOPICS = { readings: { store: 'file' } } as const;

async function append(): Promise<number> {
  const system = await plant([bus('bus', { topics: TOPICS, folder: 'bus' })]);
  const api = system.service<Bus<typeof TOPICS>>('bus');
  let next = 0;
  const run = async (ms: number): Promise<number> => {
    const from = next;
    const started = performance.now();
    const writer = async (): Promise<void> => {
      while (performance.now() - started < ms) {
        await api.publish('readings', event(next++));
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    return (next - from) / ((performance.now() - started) / 1_000);
  };
  await run(WARM_UP_MS);
  const perSecond = await run(MS);
  expectEqual('events', api.counters()['readings']?.next, next);
  await system.stop('measured');
  return perSecond;
}

await measure({ append });
