import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type TestCatalogue, testCatalogue } from '../support/catalogue.ts';
import { testFolder } from '../support/temporary-folder.ts';

const CHILD = new URL('../support/catalogue-child.ts', import.meta.url).pathname;

/** Runs the action in a process of its own, which kills itself with SIGKILL at the step. */
function killedAt(folder: string, action: string, step: string): void {
  const { signal, stdout, stderr } = spawnSync(process.execPath, [CHILD, folder, action, step], {
    encoding: 'utf8',
  });
  expect({ signal, stdout, stderr }).toEqual({ signal: 'SIGKILL', stdout: '', stderr: '' });
}

async function restarted(folder: string): Promise<TestCatalogue> {
  const opened = testCatalogue(folder);
  onTestFinished(() => opened.catalogue.close());
  await opened.catalogue.recover();
  return opened;
}

const databases = (folder: string): readonly string[] =>
  existsSync(join(folder, 'projects')) ? readdirSync(join(folder, 'projects')) : [];

async function expectWhole(folder: string, { catalogue }: TestCatalogue): Promise<void> {
  const [project, ...others] = catalogue.list();
  expect(others).toEqual([]);
  expect(project).toMatchObject({ name: 'shop', status: 'ready' });
  expect(databases(folder)).toEqual([project?.ref]);
  expect(await catalogue.resolve(project?.ref ?? '')).not.toBeNull();
}

const CREATE_STEPS = ['before provision', 'after provision', 'before reply'];

describe('a board killed while it creates a project', () => {
  it.each(CREATE_STEPS)('%s has the whole project after a restart', async (step) => {
    const folder = testFolder();
    killedAt(folder, 'create', step);
    await expectWhole(folder, await restarted(folder));
  });

  it.each(CREATE_STEPS.slice(0, 2))('and again %s of the recovery has it after the next', async (step) => {
    const folder = testFolder();
    killedAt(folder, 'create', 'before provision');
    killedAt(folder, 'recover', step);
    await expectWhole(folder, await restarted(folder));
  });
});

describe('a board killed while a database is there that was made ahead', () => {
  const inFolder = async (step: string) => {
    const folder = testFolder();
    killedAt(folder, 'ahead', step);
    const ahead = databases(folder);
    const opened = await restarted(folder);
    return { folder, ahead, projects: opened.catalogue.list(), catalogue: opened.catalogue };
  };

  it('has no more than its projects’ after a restart', async () => {
    const { folder, ahead, projects } = await inFolder('before creation');
    expect(ahead).toHaveLength(2);
    expect(projects.map(({ name }) => name)).toEqual(['kept']);
    expect(databases(folder)).toEqual(projects.map(({ ref }) => ref));
  });

  it.each(['before its look', 'after reply'])(
    'and is a project’s (%s) has that project whole',
    async (step) => {
      const { folder, ahead, projects, catalogue } = await inFolder(step);
      expect(projects.map(({ name, status }) => `${name} ${status}`)).toEqual(['kept ready', 'shop ready']);
      expect(databases(folder)).toEqual(projects.map(({ ref }) => ref).sort());
      expect(ahead).toEqual(expect.arrayContaining(projects.map(({ ref }) => ref)));
      for (const { ref } of projects) expect(await catalogue.resolve(ref)).not.toBeNull();
    },
  );
});

describe('a board killed while it deletes a project', () => {
  it.each(['before drop', 'after drop', 'before reply'])(
    '%s has nothing of it after a restart',
    async (step) => {
      const folder = testFolder();
      const first = testCatalogue(folder);
      await first.catalogue.create('shop', 'sqlite', 'admin');
      first.catalogue.close();
      killedAt(folder, 'delete', step);
      const { catalogue } = await restarted(folder);
      expect(catalogue.list()).toEqual([]);
      expect(databases(folder)).toEqual([]);
      expect((await catalogue.create('shop', 'sqlite', 'admin')).status).toBe('ready');
    },
  );
});

describe('a board that starts', () => {
  it('removes databases that no project owns, and leaves those that one does', async () => {
    const folder = testFolder();
    const first = testCatalogue(folder);
    const { ref } = await first.catalogue.create('shop', 'sqlite', 'admin');
    await first.provider.provision('orphan0000000000');
    first.catalogue.close();
    const { catalogue } = await restarted(folder);
    expect(databases(folder)).toEqual([ref]);
    expect(catalogue.list()).toHaveLength(1);
  });

  it('audits what it recovered', async () => {
    const folder = testFolder();
    killedAt(folder, 'create', 'before provision');
    const { events, catalogue } = await restarted(folder);
    const target = catalogue.list()[0]?.ref;
    expect(events).toEqual([
      { actor: 'board', action: 'project.recover', target, reason: null, outcome: 'creation finished' },
    ]);
  });
});
