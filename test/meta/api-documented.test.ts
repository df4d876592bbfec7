import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { boardDocument } from '../../src/actors/gate/board-document.ts';
import { ROOT } from './source-tree.ts';

describe('the pages on the API', () => {
  const pages = ['api', 'protocol', 'scope'].map((name) =>
    readFileSync(join(ROOT, `docs/${name}.md`), 'utf8'),
  );
  const text = pages.join('\n');
  const { paths } = boardDocument() as { readonly paths: object };

  it.each(Object.keys(paths))('tell of %s', (path) => {
    const [, admin = path] = /^\/admin\/v1(\/(?!scope).*)$/.exec(path) ?? [];
    const [written = ''] = admin
      .replace('{ref}', 'REF')
      .replace('{table}', 'TABLE')
      .replace('{path}', 'PATH')
      .split('/{');
    expect(text).toContain(written);
  });
});
