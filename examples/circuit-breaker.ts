import {
  type Breaker,
  breaker,
  createRetry,
  createSystem,
  MagError,
  policy,
  sleep,
  supervisor,
} from '../src/index.ts';

/**
 * A client of a service that breaks and heals. The breaker is a child of the supervision tree: an operator sees its
 * state there, and a restart keeps its deadline. The policy around a call says in which order retry, breaker and
 * timeout apply.
 */
const system = createSystem();
await system.start(
  supervisor('shop', {
    children: [
      breaker('payments', { minimumCalls: 4, open: { base: 500, cap: 5_000, jitter: 0 }, probes: 2 }),
    ],
  }),
);
const { host } = system;
// Looked up each time: a restart makes a new one.
const circuit = (): Breaker => system.service<Breaker>('payments');
const call = policy({
  host,
  breaker: circuit,
  retry: createRetry({ host, attempts: 2, base: 5, cap: 10 }),
  timeoutMs: 1_000,
});

let broken = false;
let called = 0;
async function charge(amount: number): Promise<string> {
  called += 1;
  if (broken) throw new Error('connection refused');
  return `charged ${amount}`;
}

async function buy(amount: number): Promise<void> {
  const outcome = await call
    .run(() => charge(amount))
    .catch((error: Error) => (error instanceof MagError ? error.code : error.message));
  console.log(`${amount}: ${outcome} (circuit ${circuit().state}, service called ${called} times)`);
}

await buy(10);
await buy(20);
broken = true;
await buy(30); // tried twice; two of four calls have failed now: the circuit opens
await buy(40); // refused at once: the service is left alone
broken = false;
await sleep(host, 550);
await buy(50); // a probe
await buy(60); // the second one passed too: closed
console.log('in the tree:', (await system.tree()).children[0]?.state);
await system.stop('closing time');
