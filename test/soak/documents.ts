/**
 * `npm run soak -- documents DIR [--url URL] [--only TEXT]`: every test of the unified format below DIR (a checkout of the
 * drivers' specifications has them: `source/crud/tests`, `source/transactions/tests`, …) against an embedded document
 * server of its own, or against the server and database of URL, such as `mag project connect` prints for a project.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { EJSON } from 'bson';
import { DocumentBoard } from '../support/document-board.ts';
import { bag, bags } from '../support/unified/bag.ts';
import type { Target } from '../support/unified/entities.ts';
import { UnifiedRunner } from '../support/unified/runner.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function files(folder: string): readonly string[] {
  if (!statSync(folder).isDirectory()) return [folder];
  return readdirSync(folder)
    .sort()
    .flatMap((name) => files(join(folder, name)))
    .filter((path) => path.endsWith('.json'));
}

/** The folder that a file's counts are told under: that of its tests. */
const folderOf = (root: string, file: string): string =>
  relative(root, file).split('/').slice(0, -1).join('/') || '.';

async function ownServer(): Promise<{ readonly target: Target; readonly close: () => Promise<void> }> {
  const board = new DocumentBoard();
  const { host, port, user, password } = await board.address();
  const options = { auth: { username: user, password }, authSource: 'admin' };
  return { target: { url: `mongodb://${host}:${port}/`, options }, close: () => board.close() };
}

function given(url: string): { readonly target: Target; readonly close: () => Promise<void> } {
  const [, database] = /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?]+)/.exec(url) ?? [];
  const target = { url, options: {}, ...(database === undefined ? {} : { database }) };
  return { target, close: () => Promise.resolve() };
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Resolves with how many tests failed. */
async function runAll(runner: UnifiedRunner, root: string, only: string): Promise<number> {
  const counts = new Map<string, Counts>();
  const reasons = new Map<string, number>();
  for (const path of files(root)) {
    const file = bag(EJSON.parse(readFileSync(path, 'utf8')));
    if (!Array.isArray(file['tests'])) continue;
    const tests = bags(file['tests']).filter(({ description }) => String(description).includes(only));
    const folder = folderOf(root, path);
    const count = counts.get(folder) ?? { passed: 0, failed: 0, skipped: 0 };
    counts.set(folder, count);
    for (const { name, status, why } of await runner.run({ ...file, tests })) {
      count[status] += 1;
      if (status === 'skipped') reasons.set(why, (reasons.get(why) ?? 0) + 1);
      if (status === 'failed') say(`✗ ${relative(root, path) || path}: ${name}: ${why.slice(0, 300)}`);
    }
  }
  for (const [folder, { passed, failed, skipped }] of counts)
    say(`${failed === 0 ? '✓' : '✗'} ${folder}: ${passed} passed, ${failed} failed, ${skipped} passed over`);
  for (const [why, count] of [...reasons].sort(([, a], [, b]) => b - a))
    say(`  ${count} passed over: ${why}`);
  return [...counts.values()].reduce((sum, { failed }) => sum + failed, 0);
}

/** Resolves with the exit code. */
export async function runSpecification(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { url: { type: 'string' }, only: { type: 'string', default: '' } },
  });
  const [folder] = positionals;
  if (folder === undefined) {
    process.stderr.write('usage: npm run soak -- documents DIR [--url URL] [--only TEXT]\n');
    return 2;
  }
  const { target, close } = values.url === undefined ? await ownServer() : given(values.url);
  const runner = new UnifiedRunner(target);
  try {
    return (await runAll(runner, folder, values.only)) === 0 ? 0 : 1;
  } finally {
    await runner.close();
    await close();
  }
}
