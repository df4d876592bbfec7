/** Our circuit breaker, closed all the time: nanoseconds that it adds to a bare call. */
import { createBreaker, nodeHost } from '../../../src/index.ts';
import { overhead, overheadSync } from '../../overhead.ts';
import { expectEqual, measure } from '../../program.ts';

const breaker = createBreaker({ host: nodeHost() });

const counted = async (difference: Promise<number> | number): Promise<number> => {
  const cost = await difference;
  const { state, refused, ignored } = breaker.stats();
  expectEqual('state', state, 'closed');
  expectEqual('calls that did not count', refused + ignored, 0);
  return cost;
};

await measure({
  overhead: () => counted(overhead((call) => breaker.run(call))),
  'overhead.sync': () => counted(overheadSync((call) => breaker.runSync(call))),
});
