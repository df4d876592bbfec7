import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
// Inside the checkout, so that packages resolve as they do for a reader; git ignores *.log.
const FOLDER = join(ROOT, `actors-guide-${process.pid}.log`);

const guide = readFileSync(join(ROOT, 'docs/actors.md'), 'utf8');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = [...`${guide}${readme}`.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

const run = promisify(execFile);
const fileOf = (index: number): string => join(FOLDER, `block-${index + 1}.ts`);

describe('docs/actors.md, and what README.md shows of it', () => {
  beforeAll(() => {
    mkdirSync(FOLDER);
    for (const [index, block] of blocks.entries()) {
      const text = block
        .replaceAll("'magmobo/testing'", "'../src/testing/index.ts'")
        .replaceAll("'magmobo'", "'../src/index.ts'");
      writeFileSync(fileOf(index), text);
    }
    writeFileSync(
      join(FOLDER, 'tsconfig.json'),
      JSON.stringify({ extends: '../tsconfig.json', include: ['*.ts'] }),
    );
  });
  afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

  it('has blocks that compile as they are printed, and say truly what does not', async () => {
    expect(blocks.length).toBeGreaterThanOrEqual(12);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', FOLDER]).catch((error: unknown) => {
      if (typeof error === 'object' && error !== null && 'stdout' in error) return { stdout: error.stdout };
      throw error;
    });
    expect(stdout).toBe('');
  });

  it('begins with a program that prints what it says', async () => {
    const { stdout } = await run(process.execPath, [fileOf(0)]);
    expect(stdout).toBe('count: 3\n');
  });

  it('tests what it says of testing', async () => {
    const index = blocks.findIndex((block) => block.includes('magmobo/testing'));
    const { backsOffForAMinute } = (await import(fileOf(index))) as {
      readonly backsOffForAMinute: () => Promise<boolean>; // that block's export
    };
    expect(await backsOffForAMinute()).toBe(true);
  });

  it('links to what is there, and to every program', () => {
    const anchors = [...guide.matchAll(/^#+ (.*)$/gm)].map(
      (match) =>
        `#${(match[1] ?? '')
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-')}`,
    );
    const linked = [...guide.matchAll(/\]\((#[^)]+)\)/g)].map((match) => match[1]);
    expect(linked.filter((anchor) => !anchors.includes(String(anchor)))).toEqual([]);
    const named = [...guide.matchAll(/examples\/([\w-]+\.ts)/g)].map((match) => match[1] ?? '');
    const programs = readdirSync(join(ROOT, 'examples')).filter((file) => file.endsWith('.ts'));
    expect([...new Set(named)].sort()).toEqual(programs.sort());
  });
});
