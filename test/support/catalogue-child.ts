import type { EngineProvider } from '../../src/actors/storage/engine.ts';
import { hasty, testCatalogue } from './catalogue.ts';

/**
 * Does one thing to the catalogue in a folder and kills itself, as kill -9 would, at the named step:
 * `node catalogue-child.ts FOLDER create|ahead|delete|recover STEP`. `ahead` creates a project with a database that was
 * made ahead, after another one.
 */
const [folder = '', action = '', step = ''] = process.argv.slice(2);

const at = (name: string): void => {
  if (name === step) process.kill(process.pid, 'SIGKILL');
};

let made = 0;
/** Until so many databases were made, whoever asked for them. */
const databases = async (count: number): Promise<void> => {
  while (made < count) await new Promise((resolve) => setImmediate(resolve));
};

const wrap = (provider: EngineProvider): EngineProvider => ({
  kind: 'sqlite',
  availability: () => provider.availability(),
  provision: async (ref) => {
    at('before provision');
    const connection = await provider.provision(ref);
    made += 1;
    at('after provision');
    return connection;
  },
  drop: async (ref) => {
    at('before drop');
    await provider.drop(ref);
    at('after drop');
  },
  connect: (ref) => provider.connect(ref),
  reclaim: (live) => provider.reclaim(live),
  ...(action === 'ahead'
    ? {
        stands: async () => {
          at('before its look');
          return true;
        },
      }
    : {}),
  stop: () => provider.stop(),
});

const audit = { append: async () => at('before reply') };
const { catalogue } = testCatalogue(folder, { wrap, audit, host: hasty() });
if (action === 'create') await catalogue.create('shop', 'sqlite', 'admin');
else if (action === 'ahead') {
  await catalogue.create('kept', 'sqlite', 'admin');
  await databases(2);
  at('before creation');
  await catalogue.create('shop', 'sqlite', 'admin');
  await databases(3);
  at('after reply');
} else if (action === 'delete') await catalogue.remove(catalogue.list()[0]?.ref ?? '', 'admin');
else await catalogue.recover();
catalogue.close();
console.log('done');
