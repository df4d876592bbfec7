import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CAPABILITIES, ENGINE_CAPABILITIES } from '../../src/actors/storage/capabilities.ts';
import { ENGINE_KINDS } from '../../src/protocol/project.ts';
import { ROOT } from './source-tree.ts';

describe('docs/capabilities.md', () => {
  it('says of every capability which engines have it', () => {
    const page = readFileSync(join(ROOT, 'docs/capabilities.md'), 'utf8');
    const documented = [...page.matchAll(/^\| `(\w+)` \| [^|]+ \| (.+) \|$/gm)].map(([, name, cells]) => [
      name,
      (cells ?? '').split(' | ').map((cell) => cell === 'yes'),
    ]);
    const known = Object.keys(CAPABILITIES).map((name) => [
      name,
      ENGINE_KINDS.map((engine) => ENGINE_CAPABILITIES[engine].has(name as keyof typeof CAPABILITIES)),
    ]);
    expect(documented).toEqual(known);
  });
});
