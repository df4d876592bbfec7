import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { BoardStatus } from '../../src/protocol/board-status.ts';
import {
  eventually,
  findNode,
  launch,
  type NewProject,
  startTestBoard,
  type TestBoard,
  temporaryFolder,
} from '../support/board.ts';

let board: TestBoard | undefined;
afterEach(async () => {
  await board?.stop();
  board = undefined;
});

const readyz = async (from: TestBoard): Promise<{ http: number; status: BoardStatus }> => {
  const reply = await fetch(`${from.url}/readyz`);
  return { http: reply.status, status: (await reply.json()) as BoardStatus }; // contracts: /readyz
};

const moved = (project: NewProject, url: string): NewProject => ({
  ...project,
  url: `${url}/p/${project.ref}`,
});

/** Where the embedded server keeps its cluster: in the data folder, or outside where a parent of it is closed. */
function versionFile(from: TestBoard): string {
  const recorded = JSON.parse(readFileSync(join(from.folder, 'run/children.json'), 'utf8')) as {
    kind: string;
    dataDir: string;
  }[]; // written by the board
  const server = recorded.find((child) => child.kind === 'postgres');
  return join(server?.dataDir ?? '', 'PG_VERSION');
}

describe('an embedded PostgreSQL that does not start', () => {
  it('is a 503 for its projects and shown; the rest serves, and it comes back by itself', async () => {
    const first = await startTestBoard();
    board = first;
    const made = [await first.createProject('pg', 'postgres'), await first.createProject('lite', 'sqlite')];
    const file = versionFile(first);
    await first.stop({ keep: true });
    renameSync(file, `${file}.away`);
    writeFileSync(file, '7\n');

    const current = await startTestBoard({ folder: first.folder });
    board = current;
    const [pg, lite] = made.map((project) => moved(project, current.url));
    if (pg === undefined || lite === undefined) throw new Error('no projects');
    expect((await current.sql(lite, 'select 1 as one')).status).toBe(200);
    for (let n = 0; n < 5; n += 1) {
      const reply = await fetch(`${pg.url}/rest/v1/t`, { headers: { apikey: pg.keys.service } });
      expect(reply.status).toBe(503);
      expect(reply.headers.get('retry-after')).not.toBeNull();
      expect(((await reply.json()) as { code: string }).code).toBe('MAG_ENGINE_UNAVAILABLE');
    }
    const shown = await eventually(async () => {
      const { http, status } = await readyz(current);
      const engines = status.components.find((component) => component.name === 'engines');
      return http === 200 && status.status === 'degraded' && engines?.status === 'degraded' ? engines : null;
    }, 'a degraded status');
    expect(shown.detail).toContain('board/engines/postgres-server');
    const node = findNode(await current.tree(), 'board/engines/postgres-server');
    expect(node).toMatchObject({ status: 'running', state: 'degraded', restarts: 0 });
    expect(node?.lastError).toMatch(/PostgreSQL ended/);
    expect(findNode(await current.tree(), 'board/engines')?.restarts).toBe(0);

    renameSync(`${file}.away`, file);
    await eventually(async () => (await current.sql(pg, 'select 1 as one')).status === 200, 'the server');
    await eventually(async () => (await readyz(current)).status.status === 'ready', 'ready');
  }, 60_000);
});

describe('a boot that fails half-way', () => {
  it('stops what was started, says where and why, and exits with 3', async () => {
    const folder = temporaryFolder();
    const first = await startTestBoard({ folder });
    await first.stop({ keep: true });
    // The catalogue is opened late: audit log, engines and the storage owner are up by then.
    const database = join(folder, 'board.sqlite');
    expect(existsSync(database)).toBe(true);
    writeFileSync(database, 'this is no database, and long enough to be looked at as one');
    const { exited, output } = launch(folder);
    expect(await exited).toEqual({ code: 3, signal: null });
    expect(output()).toMatch(/storage/);
    expect(output()).toMatch(/catalogue/);
    expect(output()).not.toContain('did not stop cleanly');
    expect(existsSync(join(folder, 'run/board.json'))).toBe(false);
    expect(existsSync(join(folder, 'run/children.json'))).toBe(false);
    rmSync(folder, { recursive: true });
  });
});

describe('fault injection that is disabled', () => {
  it('is refused with its own code; other commands still work', async () => {
    board = await startTestBoard({ env: { MAG_FAULT_INJECTION: 'false' } });
    const path = '/admin/v1/actors/board/storage/owner';
    const crash = await board.admin<{ code: string }>('POST', `${path}/crash`, { reason: 'test' });
    expect(crash.body.code).toBe('MAG_FAULT_INJECTION_DISABLED');
    expect(crash.status).toBe(403);
    const restart = await board.admin('POST', `${path}/restart`, { reason: 'test' });
    expect(restart.status).toBe(202);
  });
});

describe('an edge worker restarted through itself', () => {
  it('answers first, and does not wait for its own request', async () => {
    board = await startTestBoard();
    const current = board;
    for (const edge of ['board/edges/edge-1', 'board/edges/edge-2']) {
      const before = findNode(await current.tree(), edge)?.restarts ?? 0;
      const asked = performance.now();
      expect(
        (await current.admin('POST', `/admin/v1/actors/${edge}/restart`, { reason: 'test' })).status,
      ).toBe(202);
      await eventually(async () => {
        const node = findNode(await current.tree(), edge);
        return node?.restarts === before + 1 && node.status === 'running';
      }, `the restart of ${edge}`);
      expect(performance.now() - asked).toBeLessThan(4_000);
    }
    const unknown = await current.admin('POST', '/admin/v1/actors/board/edges/edge-9/crash', {
      reason: 'test',
    });
    expect(unknown.status).toBe(404);
  });
});

/** One line of Prometheus' text format that is a sample. */
const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")*\})? (-?[0-9.e+-]+|\+Inf|-Inf|NaN)$/;

describe('/metrics', () => {
  it('is Prometheus text: every sample of a declared metric, none twice; also while owners are being restarted', async () => {
    board = await startTestBoard();
    await (await fetch(`${board.url}/livez`)).text();
    for (const down of [[], ['audit', 'permits']]) {
      for (const part of down)
        await board.admin('POST', `/admin/v1/actors/board/${part}/stop`, { reason: 'test' });
      const reply = await fetch(`${board.url}/metrics`);
      expect(reply.status).toBe(200);
      const lines = (await reply.text()).trimEnd().split('\n');
      const declared = new Set<string>();
      const seen = new Set<string>();
      for (const line of lines) {
        const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
        if (type?.[1] !== undefined) declared.add(type[1]);
        if (line.startsWith('#')) continue;
        const sample = SAMPLE.exec(line);
        expect(sample, line).not.toBeNull();
        const base = (sample?.[1] ?? '').replace(/_(bucket|sum|count)$/, '');
        expect(declared.has(sample?.[1] ?? '') || declared.has(base), line).toBe(true);
        const series = `${sample?.[1]}${sample?.[2] ?? ''}`;
        expect(seen.has(series), series).toBe(false);
        seen.add(series);
      }
      expect(declared).toContain('mag_ready');
    }
  });
});
