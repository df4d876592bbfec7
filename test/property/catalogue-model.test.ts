import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TestCatalogue, testCatalogue } from '../support/catalogue.ts';

/** The projects that should exist: name → reference and number of grants. */
type Model = Map<string, { ref: string; grants: number }>;

interface Real {
  readonly folder: string;
  opened: TestCatalogue;
}

type Step = (model: Model, real: Real) => Promise<void>;

const names = fc.constantFrom('a', 'b', 'c', 'd');
const grant = { role: 'anon', table: '*', actions: ['select'] };

const create =
  (name: string): Step =>
  async (model, { opened }) => {
    const made = opened.catalogue.create(name, 'sqlite', 'test');
    if (model.has(name)) await expect(made).rejects.toMatchObject({ code: 'MAG_PROJECT_NAME_TAKEN' });
    else model.set(name, { ref: (await made).ref, grants: 0 });
  };

const remove =
  (name: string): Step =>
  async (model, { opened }) => {
    const gone = opened.catalogue.remove(model.get(name)?.ref ?? 'nosuchproject000', 'test');
    if (model.delete(name)) await gone;
    else await expect(gone).rejects.toMatchObject({ code: 'MAG_PROJECT_NOT_FOUND' });
  };

const settings =
  (name: string, count: number): Step =>
  async (model, { opened }) => {
    const known = model.get(name);
    const grants = Array.from({ length: count }, () => grant);
    const set = opened.catalogue.settings(known?.ref ?? 'nosuchproject000', { grants }, 'test');
    if (known === undefined) await expect(set).rejects.toMatchObject({ code: 'MAG_PROJECT_NOT_FOUND' });
    else {
      await set;
      known.grants = count;
    }
  };

const restart = (): Step => async (_model, real) => {
  real.opened.catalogue.close();
  real.opened = testCatalogue(real.folder);
  expect((await real.opened.catalogue.recover()).lines).toEqual([]);
};

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: names.map(create) },
    { weight: 3, arbitrary: names.map(remove) },
    { weight: 2, arbitrary: fc.tuple(names, fc.nat(3)).map(([name, count]) => settings(name, count)) },
    { weight: 1, arbitrary: fc.constant(null).map(restart) },
  ),
  { maxLength: 15 },
);

describe('the catalogue', () => {
  it('holds after any steps and restarts exactly the projects that a list of them would, each with its database', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (drawn) => {
        const folder = mkdtempSync(join(tmpdir(), 'mag-model-'));
        const model: Model = new Map();
        const real: Real = { folder, opened: testCatalogue(folder) };
        try {
          for (const step of drawn) {
            await step(model, real);
            const { catalogue } = real.opened;
            const listed = catalogue
              .list()
              .map((project) => [project.name, project.ref, project.settings.grants.length]);
            expect(listed.sort()).toEqual(
              [...model].map(([name, { ref, grants }]) => [name, ref, grants]).sort(),
            );
          }
          const refs = [...model.values()].map(({ ref }) => ref);
          const projects = model.size === 0 ? [] : readdirSync(join(folder, 'projects'));
          expect(projects.sort()).toEqual(refs.sort());
          for (const ref of refs) expect(await real.opened.catalogue.resolve(ref)).toMatchObject({ ref });
        } finally {
          real.opened.catalogue.close();
          rmSync(folder, { recursive: true, force: true });
        }
      }),
      { numRuns: 40 },
    );
  });
});
