/** A task for each call, on one Piscina thread, without its blocking wait: that way it runs most of them. */
import { join } from 'node:path';
import { Piscina } from 'piscina';
import { measure, rate } from '../../program.ts';
import { keepInFlight } from '../../traffic.ts';

const IN_FLIGHT = 64;

await measure({
  call: () => {
    const pool = new Piscina<number, number>({
      filename: join(import.meta.dirname, 'piscina-echo.ts'),
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: IN_FLIGHT,
      atomics: 'disabled',
      recordTiming: false,
    });
    return rate(40_000, (calls) => keepInFlight(calls, IN_FLIGHT, (n) => pool.run(n)));
  },
});
