/** cockatiel's circuit breaker with a sampling window, closed all the time: what it adds to a bare asynchronous call. */
import { circuitBreaker, handleAll, SamplingBreaker } from 'cockatiel';
import { measure, percentile } from '../../program.ts';

const CALLS = 200_000;
const PASSES = 9;

const policy = circuitBreaker(handleAll, {
  halfOpenAfter: 5_000,
  breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 2 }),
});

let calls = 0;
const bare = async (): Promise<number> => {
  calls += 1;
  return calls;
};

async function timed(call: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  for (let index = 0; index < CALLS; index += 1) await call();
  return ((performance.now() - started) * 1e6) / CALLS;
}

await measure({
  overhead: async () => {
    const costs: number[] = [];
    for (let pass = 0; pass < PASSES; pass += 1) {
      const alone = await timed(bare);
      const guarded = await timed(() => policy.execute(bare));
      if (pass > 1) costs.push(guarded - alone);
    }
    return percentile(costs, 0.5);
  },
});
