/** cockatiel's circuit breaker with a sampling window, closed all the time: nanoseconds that it adds to a bare call. */
import { circuitBreaker, handleAll, SamplingBreaker } from 'cockatiel';
import { overhead } from '../../overhead.ts';
import { measure } from '../../program.ts';

const policy = circuitBreaker(handleAll, {
  halfOpenAfter: 5_000,
  breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 2 }),
});

await measure({ overhead: () => overhead((call) => policy.execute(call)) });
