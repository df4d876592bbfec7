import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './source-tree.ts';

describe('SPEC.md', () => {
  const spec = readFileSync(join(ROOT, 'SPEC.md'), 'utf8');

  it('names only tests that exist', () => {
    const named = [...spec.matchAll(/`(test\/[^`]+)`/g)].map((match) => match[1] ?? '');
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('numbers its invariants without a gap', () => {
    const numbers = [...spec.matchAll(/^(\d+)\. \*\*/gm)].map((match) => Number(match[1]));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});
