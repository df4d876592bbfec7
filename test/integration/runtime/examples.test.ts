import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../../examples/', import.meta.url));

/** What each program in examples/ prints. */
const STORIES: Readonly<Record<string, string>> = {
  'carried-state': `
version 1: tea, cup, tea
shop/cart failed: an item without a name
after the crash: tea, cup, tea
version 2: 3 × tea, 1 × cup
`,
  'chat-room': `
ada types "hello"
  ada hears ada: hello
  bob hears ada: hello
  eve hears ada: hello
eve types "/quit"
  ada hears room: eve left (error)
  bob hears room: eve left (error)
her supervisor brought her back: ada,bob,eve
bob types ""
the room crashed, and everybody joined anew: ada,bob,eve
bob types "what was that?"
  ada hears bob: what was that?
  bob hears bob: what was that?
  eve hears bob: what was that?
`,
  'circuit-breaker': `
10: charged 10 (circuit closed, service called 1 times)
20: charged 20 (circuit closed, service called 2 times)
30: connection refused (circuit open, service called 4 times)
40: MAG_CIRCUIT_OPEN (circuit open, service called 4 times)
50: charged 50 (circuit half_open, service called 5 times)
60: charged 60 (circuit closed, service called 6 times)
in the tree: healthy
`,
  'device-sessions': `
stove: 200
fridge, as it was: dead
fridge, by its path: null
devices/stove ended: normal
sessions: 1001
letters that reached nobody: 1
`,
  'durable-events': `
a shop without a packer takes orders:
  order 1 at offset 0
  order 2 at offset 1
  order 3 at offset 2
  order 1 at offset 0, once more: it is there already
another one, later, with a packer:
  packed: tea
  packed: cup
  set aside after 2 tries: bomb (nobody packs a bomb)
`,
  'order-workflow': `
tea: { state: 'open', receipt: null }
tea: { state: 'paid', receipt: 'tea paid with visa' }
tea ended: normal
gold ended: the bank said no
forgotten ended: normal
orders left: 0
`,
  'rolling-update': `
counted: 500
counted: 800
in another thread: true
the counter ended: shutdown
`,
  'service-registry': `
bread: Brot (anna)
bread: pain (ben)
tea: Tee (anna)
agency/carl is down: error
dora hears that agency/anna ended
still translating: agency/ben
tea: thé (ben)
anna, once more: error
agency/dora is down: shutdown
`,
  'slow-consumer': `
1000 readings in 50 batches, 1000 stored
never more than 40 readings ahead of the disk
`,
  'supervised-counter': `
count: 1
count: 2
failed: app/counter (three is too many)
restarted: app/counter
count: The actor app/counter crashed: three is too many
count after the restart: 0
`,
  'worker-pool': `
done: 1² = 1, 2² = 4, 4² = 16, 5² = 25, 7² = 49, 8² = 64
poison: -3: MAG_ACTOR_CRASHED, 13: MAG_ACTOR_CRASHED
workers replaced: 4
`,
};

const programs = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));

describe('the programs in examples/', () => {
  it('are all told of here', () => {
    expect(Object.keys(STORIES).sort()).toEqual([...programs].sort());
  });

  it.each(programs)('%s prints its story, and ends by itself', async (program) => {
    const run = promisify(execFile)(process.execPath, [`${FOLDER}${program}.ts`], { timeout: 50_000 });
    expect(await run).toMatchObject({ stdout: STORIES[program]?.trimStart(), stderr: '' });
  });

  it.each(programs)('%s needs nothing but the public API, and reads in one sitting', (program) => {
    const text = readFileSync(`${FOLDER}${program}.ts`, 'utf8');
    const sources = [...text.matchAll(/ from '([^']+)'/g)].map(([, source]) => source);
    const own = new RegExp(`^\\.\\./src/index\\.ts$|^\\./${program}/|^xstate$|^node:`);
    expect(sources.filter((source) => !own.test(String(source)))).toEqual([]);
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(100);
  });
});
