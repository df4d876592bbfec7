import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors.ts';
import { ROOT, sourceFiles } from './source-tree.ts';

const documented = (): readonly string[] =>
  [...readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^\| `([A-Z0-9_]+)` \| (\d+) \|/gm)].map(
    (match) => `${match[1]} ${match[2]}`,
  );

describe('the error registry and docs/errors.md', () => {
  it('say the same codes with the same status', () => {
    const registered = Object.entries(ERRORS).map(([code, entry]) => `${code} ${entry.status}`);
    expect([...documented()].sort()).toEqual([...registered].sort());
  });

  it('hold no code that nothing throws', () => {
    const source = sourceFiles(['src', 'worker', 'bin'], ['.ts'])
      .filter((file) => !/^src\/errors(-\w+)?\.ts$/.test(file.path))
      .map((file) => file.text)
      .join('\n');
    const unused = Object.keys(ERRORS).filter((code) => !source.includes(`'${code}'`));
    expect(unused).toEqual([]);
  });
});
