import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildUi, uiIsStale } from '../../scripts/build-ui.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');
let root: string;
let said: string[];

const write = (path: string, text: string): void => writeFileSync(join(root, path), text);
const build = () => buildUi({ root, say: (line) => said.push(line) });
/** The built program. */
const program = (): string => {
  const assets = join(root, 'ui/dist/assets');
  return readdirSync(assets)
    .map((name) => readFileSync(join(assets, name), 'utf8'))
    .join('\n');
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mag-ui-'));
  said = [];
  mkdirSync(join(root, 'ui/src'), { recursive: true });
  mkdirSync(join(root, 'src/protocol'), { recursive: true });
  symlinkSync(join(REPOSITORY, 'node_modules'), join(root, 'node_modules'));
  cpSync(join(REPOSITORY, 'ui/vite.config.ts'), join(root, 'ui/vite.config.ts'));
  write('ui/index.html', '<!doctype html><script type="module" src="./src/main.ts"></script>');
  write('ui/src/main.ts', "import { word } from '../../src/protocol/word.ts';\ndocument.title = word;");
  write('src/protocol/word.ts', "export const word: string = 'first';");
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('the page is built when it is stale, and only then', () => {
  it('builds what is not there, and is silent the next time', async () => {
    expect(uiIsStale(root)).toBe(true);
    expect(await build()).toBe('built');
    expect(program()).toContain('first');
    expect(uiIsStale(root)).toBe(false);
    expect(await build()).toBe('fresh');
    expect(said).toHaveLength(1);
  });

  it('builds again after a change of the page, its configuration or what it shares with the board', async () => {
    await build();
    for (const path of ['ui/src/main.ts', 'ui/vite.config.ts', 'src/protocol/word.ts']) {
      write(path, `${readFileSync(join(root, path), 'utf8')}\n// changed`);
      expect([path, uiIsStale(root)]).toEqual([path, true]);
      expect(await build()).toBe('built');
      expect(uiIsStale(root)).toBe(false);
    }
  });

  it('builds for production, whatever NODE_ENV a test runner or a shell has set', async () => {
    expect(process.env.NODE_ENV).not.toBe('production');
    rmSync(join(root, 'ui/src/main.ts'));
    write('ui/index.html', '<!doctype html><script type="module" src="./src/main.tsx"></script>');
    write('ui/src/main.tsx', "import { render } from 'preact';\nrender(<p>hello</p>, document.body);");
    await build();
    expect(program()).toContain('hello');
    expect(program()).not.toMatch(/main\.tsx|lineNumber/);
  });

  it('keeps the old page where the new one does not compile, and leaves nothing lying about', async () => {
    await build();
    write('ui/src/main.ts', 'this is no program (');
    await expect(build()).rejects.toThrow();
    expect(program()).toContain('first');
    expect(uiIsStale(root)).toBe(true);
    expect(readdirSync(join(root, 'ui')).sort()).toEqual(['dist', 'index.html', 'src', 'vite.config.ts']);
  });

  it('comes out whole where several build at once', async () => {
    const built = await Promise.all([build(), build(), build()]);
    expect(built).toContain('built');
    expect(uiIsStale(root)).toBe(false);
    expect(program()).toContain('first');
  });

  it('does not fail without Vite: it says one line', async () => {
    rmSync(join(root, 'node_modules'));
    expect(await build()).toBe('unavailable');
    expect(said).toEqual([expect.stringContaining('Vite is not installed')]);
  });

  it('has nothing to do in a published package, which brings the page and not its sources', async () => {
    await build();
    rmSync(join(root, 'ui/src'), { recursive: true });
    expect(await build()).toBe('fresh');
    expect(existsSync(join(root, 'ui/dist/index.html'))).toBe(true);
  });
});
