import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { EngineProvider } from '../../src/actors/storage/engine.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { hasty, type TestCatalogue, testCatalogue } from '../support/catalogue.ts';
import { testFolder } from '../support/temporary-folder.ts';

interface Watched extends TestCatalogue {
  readonly folder: string;
  /** References in the order in which their databases were asked for. */
  readonly provisioned: readonly string[];
  /** Those that were made. */
  made: number;
  /** Whether what was made ahead is still there. */
  stands: boolean;
  /** Failures of the next calls of provision, null for none. */
  readonly failures: (Error | null)[];
  /** Lets them fail. */
  readonly fail: () => void;
}

/** A catalogue whose engine wants a database made ahead. */
function watched(ahead = true, host: Host = hasty()): Watched {
  const folder = testFolder();
  const provisioned: string[] = [];
  const failures: (Error | null)[] = [];
  const failing = Promise.withResolvers<void>();
  const wrap = (provider: EngineProvider): EngineProvider => ({
    kind: 'sqlite',
    availability: () => provider.availability(),
    provision: async (ref) => {
      provisioned.push(ref);
      const failure = failures.shift() ?? null;
      if (failure !== null) {
        await failing.promise;
        throw failure;
      }
      const connection = await provider.provision(ref);
      self.made += 1;
      return connection;
    },
    drop: (ref) => provider.drop(ref),
    connect: (ref) => provider.connect(ref),
    reclaim: (live) => provider.reclaim(live),
    ...(ahead ? { stands: async () => self.stands } : {}),
    stop: () => provider.stop(),
  });
  const opened = testCatalogue(folder, { wrap, host });
  onTestFinished(() => opened.catalogue.close());
  const self: Watched = {
    ...opened,
    folder,
    provisioned,
    failures,
    fail: failing.resolve,
    stands: true,
    made: 0,
  };
  return self;
}

const databases = ({ folder }: Watched): readonly string[] => readdirSync(join(folder, 'projects')).sort();
/** Until so many databases were made, whoever asked for them. */
const made = async (self: Watched, count: number): Promise<void> => {
  while (self.made < count) await new Promise((resolve) => setImmediate(resolve));
};

describe('a database made ahead', () => {
  it('is the next project’s, and another one is made for the one after', async () => {
    const self = watched();
    const first = await self.catalogue.create('first', 'sqlite', 'admin');
    await made(self, 2);
    expect(self.provisioned).toEqual([first.ref, expect.any(String)]);
    const second = await self.catalogue.create('second', 'sqlite', 'admin');
    expect(second).toMatchObject({ ref: self.provisioned[1], status: 'ready' });
    expect(self.provisioned).toHaveLength(3);
    expect(await self.catalogue.resolve(second.ref)).not.toBeNull();
    expect(self.catalogue.list().map(({ ref }) => ref)).toEqual([first.ref, second.ref]);
  });

  it('is no project to anybody before that', async () => {
    const self = watched();
    await self.catalogue.create('first', 'sqlite', 'admin');
    await made(self, 2);
    const ahead = self.provisioned[1] ?? '';
    expect(await self.catalogue.resolve(ahead)).toBeNull();
    expect(() => self.catalogue.get(ahead)).toThrow('No project');
  });

  it('is begun a while after a project, and at once where another one follows it', async () => {
    const self = watched(true, { ...nodeHost(), setTimer: () => ({ id: null }), clearTimer: () => {} });
    const first = await self.catalogue.create('first', 'sqlite', 'admin');
    expect(self.provisioned).toEqual([first.ref]);
    const second = await self.catalogue.create('second', 'sqlite', 'admin');
    expect(self.provisioned).toEqual([first.ref, second.ref, expect.any(String)]);
  });

  it('is waited for where it is still being made, by one project each', async () => {
    const self = watched();
    const few = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => self.catalogue.create(name, 'sqlite', 'admin')),
    );
    const more = await Promise.all(
      ['e', 'f', 'g'].map((name) => self.catalogue.create(name, 'sqlite', 'admin')),
    );
    const refs = [...few, ...more].map(({ ref }) => ref);
    expect(new Set(refs).size).toBe(7);
    for (const ref of refs) expect(await self.catalogue.resolve(ref)).not.toBeNull();
  });

  it('is made anew where the server lost it', async () => {
    const self = watched();
    await self.catalogue.create('first', 'sqlite', 'admin');
    await made(self, 2);
    const ahead = self.provisioned[1] ?? '';
    await self.provider.drop(ahead);
    self.stands = false;
    expect((await self.catalogue.create('second', 'sqlite', 'admin')).ref).toBe(ahead);
    expect(databases(self)).toContain(ahead);
  });

  it('that could not be made costs the project that waits for it nothing', async () => {
    const self = watched();
    await self.catalogue.create('first', 'sqlite', 'admin');
    self.failures.push(null, new Error('the disk is full'));
    await self.catalogue.create('second', 'sqlite', 'admin');
    const third = self.catalogue.create('third', 'sqlite', 'admin');
    self.fail();
    const { ref, status } = await third;
    expect(status).toBe('ready');
    expect(self.provisioned.filter((each) => each === ref)).toHaveLength(2);
    expect(await self.catalogue.resolve(ref)).not.toBeNull();
  });

  it('goes with the last project of its engine, and not before', async () => {
    const self = watched();
    const [first, second] = await Promise.all(
      ['first', 'second'].map((name) => self.catalogue.create(name, 'sqlite', 'admin')),
    );
    await self.catalogue.remove(first?.ref ?? '', 'admin');
    expect(databases(self)).toHaveLength(2);
    await self.catalogue.remove(second?.ref ?? '', 'admin');
    expect(databases(self)).toEqual([]);
  });

  it('goes when the board stops in order', async () => {
    const self = watched();
    const { ref } = await self.catalogue.create('first', 'sqlite', 'admin');
    await self.catalogue.retire();
    expect(databases(self)).toEqual([ref]);
  });

  it('is made for no engine that is quick enough without', async () => {
    const self = watched(false);
    const { ref } = await self.catalogue.create('first', 'sqlite', 'admin');
    await self.catalogue.create('second', 'sqlite', 'admin');
    expect(self.provisioned).toEqual([ref, expect.any(String)]);
  });
});
