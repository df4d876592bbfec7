import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { ADMIN_KEY, startTestBoard, type TestBoard } from '../support/board.ts';

const folder = mkdtempSync(join(tmpdir(), 'mag-documents-'));
let board: TestBoard;
beforeAll(async () => {
  board = await startTestBoard();
});
afterAll(async () => {
  await board.stop();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

/** Runs `mag` in the test's folder; gives its exit code, and what it complained of. */
async function mag(...args: string[]): Promise<{ code: number; err: string }> {
  let err = '';
  const env = { MAG_URL: board.url, MAG_ADMIN_KEY: ADMIN_KEY };
  const terminal = {
    ...{ env, cwd: folder, interactive: false, out: () => {} },
    err: (text: string) => {
      err += text;
    },
  };
  return { code: await main(args, terminal), err };
}

describe('export and import of documents', () => {
  it('come back from documents as they were, whatever keys each has', async () => {
    const { ref, url, keys } = await board.createProject('documents', 'mongodb');
    const lines = ['{"id":1,"a":1}', '{"id":2,"b \\"c":{"d":[2]}}', '{"id":3}', '{"id":4,"a":"4","e":null}'];
    write('rows.jsonl', `${lines.join('\n')}\n`);
    expect(await mag('import', ref, 'things', 'rows.jsonl')).toMatchObject({ code: 0, err: '' });
    // Ids of several kinds, page after page: a filter compares each with its own.
    const ids = [5, 80, 100, '60', '7', 'abc'];
    write('mixed.jsonl', ids.map((id) => `${JSON.stringify({ id })}\n`).join(''));
    expect((await mag('import', ref, 'mixed', 'mixed.jsonl')).code).toBe(0);
    await mag('export', ref, 'things', 'out.jsonl');
    const read = (): unknown[] =>
      readFileSync(join(folder, 'out.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line));
    expect(read()).toEqual(lines.map((line): unknown => JSON.parse(line)));
    for (const size of ['1', '2', '4']) {
      expect(await mag('export', ref, 'mixed', 'again.jsonl', '--batch', size)).toMatchObject({ err: '' });
      const again = readFileSync(join(folder, 'again.jsonl'), 'utf8').trim().split('\n');
      expect(again.map((line) => (JSON.parse(line) as { id: unknown }).id)).toEqual(ids);
    }
    write('more.jsonl', '{"id":1,"f":5}\n{"id":2}\n');
    expect((await mag('import', ref, 'things', 'more.jsonl', '--upsert=')).code).toBe(0);
    const one = await fetch(`${url}/rest/v1/things?id=eq.1`, { headers: { apikey: keys.service } });
    expect(await one.json()).toEqual([{ id: 1, a: 1, f: 5 }]);
  });
});
