import { describe, expect, it } from 'vitest';
import { importsOf, resolveImport, sourceFiles } from './source-tree.ts';

/** Lower layers first; a file may import its own layer and those below. */
const LAYERS: readonly { readonly name: string; readonly owns: (path: string) => boolean }[] = [
  {
    name: 'registry',
    owns: (path) => path === 'src/sql-state.ts' || /^src\/(?:errors|limits)(-\w+)?\.ts$/.test(path),
  },
  { name: 'protocol', owns: (path) => path.startsWith('src/protocol/') },
  { name: 'machines', owns: (path) => path.startsWith('src/machines/') },
  { name: 'streams', owns: (path) => path.startsWith('src/streams/') },
  { name: 'runtime', owns: (path) => path.startsWith('src/runtime/') || path === 'src/index.ts' },
  { name: 'testing', owns: (path) => path.startsWith('src/testing/') },
  { name: 'actors', owns: (path) => path.startsWith('src/actors/') || path.startsWith('src/sentinel/') },
  { name: 'board', owns: (path) => path === 'src/board.ts' || path.startsWith('src/board/') },
  { name: 'cli', owns: (path) => path.startsWith('src/cli/') },
  { name: 'bin', owns: (path) => path.startsWith('bin/') || path.startsWith('worker/') },
];

const layerOf = (path: string): number => LAYERS.findIndex((layer) => layer.owns(path));

describe('imports go one way', () => {
  const files = sourceFiles(['src', 'bin', 'worker'], ['.ts']);

  it('finds the source tree', () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it('puts each file in a layer', () => {
    const lost = files
      .filter((file) => !file.path.startsWith('src/sdk/') && layerOf(file.path) === -1)
      .map((file) => file.path);
    expect(lost).toEqual([]);
  });

  it('never imports a layer above', () => {
    const wrong: string[] = [];
    for (const file of files) {
      const from = layerOf(file.path);
      for (const { specifier, line } of importsOf(file)) {
        const target = resolveImport(file, specifier);
        if (target === null) continue;
        const to = layerOf(target);
        if (to > from) wrong.push(`${file.path}:${line} imports ${target}`);
        // What the product ships must not depend on the harness.
        if (LAYERS[to]?.name === 'testing' && LAYERS[from]?.name !== 'testing')
          wrong.push(`${file.path}:${line} imports the harness`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('keeps machines pure: xstate, protocol, limits and errors only', () => {
    const wrong: string[] = [];
    for (const file of files.filter((candidate) => candidate.path.startsWith('src/machines/'))) {
      for (const { specifier, line } of importsOf(file)) {
        const target = resolveImport(file, specifier);
        const allowed = target === null ? specifier === 'xstate' : layerOf(target) <= 2;
        if (!allowed) wrong.push(`${file.path}:${line} imports ${specifier}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('lets the extension SDK import protocol only', () => {
    const wrong: string[] = [];
    for (const file of files.filter((candidate) => candidate.path.startsWith('src/sdk/'))) {
      for (const { specifier, line } of importsOf(file)) {
        const target = resolveImport(file, specifier);
        if (target === null || !(target.startsWith('src/protocol/') || target.startsWith('src/sdk/'))) {
          wrong.push(`${file.path}:${line} imports ${specifier}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
