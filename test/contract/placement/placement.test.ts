import { afterAll, beforeAll, describe } from 'vitest';
import { type ActorSystem, type ChildSpec, createSystem, remote, supervisor } from '../../../src/index.ts';
import make from '../../support/runtime/placed-module.ts';
import { placementContract } from './suite.ts';

const module = new URL('../../support/runtime/placed-module.ts', import.meta.url);

const PLACEMENTS: Readonly<Record<string, () => ChildSpec>> = {
  'this thread': () => ({ ...make(), id: 'placed' }),
  'a worker thread': () => remote('placed', { where: 'worker', module, input: null }),
  'a child process': () => remote('placed', { where: 'process', module, input: null }),
};

describe.each(Object.entries(PLACEMENTS))('an actor in %s', (_where, placed) => {
  let system: ActorSystem;

  beforeAll(async () => {
    system = createSystem();
    await system.start(supervisor('board', { children: [placed()] }));
  });
  afterAll(() => system.stop('test'));

  placementContract(() => ({ system, mount: 'board/placed' }));
});
