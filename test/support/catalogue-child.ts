import type { EngineProvider } from '../../src/actors/storage/engine.ts';
import { testCatalogue } from './catalogue.ts';

/**
 * Does one thing to the catalogue in a folder and kills itself, as kill -9 would, at the named step:
 * `node catalogue-child.ts FOLDER create|delete|recover STEP`.
 */
const [folder = '', action = '', step = ''] = process.argv.slice(2);

const at = (name: string): void => {
  if (name === step) process.kill(process.pid, 'SIGKILL');
};

const wrap = (provider: EngineProvider): EngineProvider => ({
  kind: 'sqlite',
  availability: () => provider.availability(),
  provision: async (ref) => {
    at('before provision');
    const connection = await provider.provision(ref);
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
  stop: () => provider.stop(),
});

const audit = { append: async () => at('before reply') };
const { catalogue } = testCatalogue(folder, { wrap, audit });
if (action === 'create') await catalogue.create('shop', 'sqlite', 'admin');
else if (action === 'delete') await catalogue.remove(catalogue.list()[0]?.ref ?? '', 'admin');
else await catalogue.recover();
catalogue.close();
console.log('done');
