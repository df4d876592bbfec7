/** 64 writers, each of which appends again as soon as its last append is durable: appends per second. */
import { nodeHost } from '../../../src/index.ts';
import { openFileLog } from '../../../src/streams/log/log-file.ts';
import { event, MS, WARM_UP_MS, WRITERS } from '../../events.ts';
import { expectEqual, measure } from '../../program.ts';

async function append(): Promise<number> {
  const log = await openFileLog({ host: nodeHost(), folder: 'log' });
  const encoder = new TextEncoder();
  let next = 0;
  const run = async (ms: number): Promise<number> => {
    const from = next;
    const started = performance.now();
    const writer = async (): Promise<void> => {
      while (performance.now() - started < ms) {
        await log.append([encoder.encode(JSON.stringify(event(next++)))]);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    return (next - from) / ((performance.now() - started) / 1_000);
  };
  await run(WARM_UP_MS);
  const perSecond = await run(MS);
  expectEqual('records', log.next, next);
  await log.close();
  return perSecond;
}

await measure({ append });
