import {
  batch,
  createSystem,
  fromIterable,
  light,
  map,
  mergeMap,
  type Question,
  sleep,
  supervisor,
  toActor,
} from '../src/index.ts';

/**
 * A fast source and a slow consumer. Demand goes up the pipeline, items come down: the source is read only as fast as
 * the slow step takes what it read, so a million readings need no more memory than a hundred.
 */
type Totals = { type: 'STORED'; readings: number } | Question<{ type: 'TOTAL' }, number>;

const totals = light(
  'totals',
  {
    init: () => 0,
    receive: (total, message: Totals) => {
      if (message.type === 'STORED') return total + message.readings;
      message.reply?.(total);
      return total;
    },
  },
  { mailbox: { capacity: 8, overflow: 'backpressure' } },
);

const system = createSystem();
await system.start(supervisor('app', { children: [totals] }));
const slot = system.slot<Totals>('app/totals');

let read = 0;
let stored = 0;
let mostAhead = 0;

function* readings(): Generator<number> {
  for (let n = 0; n < 1_000; n += 1) {
    read += 1;
    mostAhead = Math.max(mostAhead, read - stored);
    yield 20 + (n % 5);
  }
}

async function store(values: readonly number[]): Promise<number> {
  await sleep(system.host, 2); // a slow disk
  stored += values.length;
  return values.length;
}

const pipeline = fromIterable(readings()).pipe(
  map((celsius) => celsius * 1.8 + 32),
  batch({ size: 20 }),
  mergeMap(store, { concurrency: 2 }),
  map((count): Totals => ({ type: 'STORED', readings: count })),
);
const delivered = await toActor(pipeline, slot);

console.log(`${read} readings in ${delivered.sent} batches, ${await slot.ask({ type: 'TOTAL' })} stored`);
console.log(`never more than ${mostAhead} readings ahead of the disk`);
await system.stop('done');
