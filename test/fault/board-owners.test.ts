import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BoardStatus } from '../../src/protocol/board-status.ts';
import { eventually, findNode, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { childrenOf } from '../support/child-processes.ts';

let board: TestBoard;
let lite: NewProject;
let pg: NewProject;

beforeAll(async () => {
  board = await startTestBoard();
  lite = await board.createProject('owners-lite', 'sqlite');
  pg = await board.createProject('owners-pg', 'postgres');
});
afterAll(async () => {
  await board.stop();
});

const isCutOff = (error: unknown): boolean => error instanceof TypeError && error.message === 'fetch failed';

const command = async (path: string, name: string): Promise<void> => {
  const reply = await board.admin('POST', `/admin/v1/actors/${path}/${name}`, { reason: 'test' });
  expect(reply.status, `${name} ${path}`).toBe(202);
};

/** The connection of a request may be to the very edge worker that crashes, or to the one that did before. */
async function crash(path: string): Promise<void> {
  const tree = await eventually(() => board.tree(), 'the tree');
  const before = findNode(tree, path)?.incarnation;
  await command(path, 'crash').catch((error: unknown) => {
    if (!(path.startsWith('board/edges/') && isCutOff(error))) throw error;
  });
  await eventually(async () => {
    const now = findNode(await board.tree(), path);
    return now?.status === 'running' && now.incarnation !== before;
  }, `the restart of ${path}`);
}

async function permits(): Promise<number> {
  const text = await (await fetch(`${board.url}/metrics`)).text();
  return Number(/^mag_pool_permits\{engine="postgres"\} (\d+)$/m.exec(text)?.[1]);
}

/** At once, on connections of their own. */
const statuses = (project: NewProject, query: string, count: number): Promise<number[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const reply = await fetch(`${project.url}/sql/v1`, {
        method: 'POST',
        headers: { apikey: project.keys.service, 'content-type': 'application/json', connection: 'close' },
        body: JSON.stringify({ query }),
      });
      await reply.text();
      return reply.status;
    }),
  );

describe('the owner of the connection permits', () => {
  it('knows after a crash what the edge workers hold, and serves on', async () => {
    expect(await statuses(pg, 'select pg_sleep(0.1)', 6)).toEqual(Array(6).fill(200));
    const held = await permits();
    expect(held).toBeGreaterThan(0);
    await crash('board/permits');
    expect(await permits()).toBe(held);
    expect(await statuses(pg, 'select pg_sleep(0.05)', 12)).toEqual(Array(12).fill(200));
    expect(await permits()).toBeLessThanOrEqual(10);
    for (const edge of findNode(await board.tree(), 'board/edges')?.children ?? []) await crash(edge.path);
    await eventually(async () => (await permits()) === 0, 'the return of what they held');
  });
});

/** More processor time than a storage process needs to start, ticks. */
const START_TICKS = 60;

/** Processor time used by each storage process so far, ticks of a hundredth of a second. */
function processorTicks(): ReadonlyMap<number, number> {
  const storage = childrenOf(board.pid).filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('storage-process'),
  );
  return new Map(
    storage.map((pid) => {
      const [, , ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
      return [pid, Number(fields[11]) + Number(fields[12])];
    }),
  );
}

describe('the owner of the storage processes', () => {
  it('fails what ran when it crashed, and nothing that came after', async () => {
    const slow = 'with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c';
    for (let round = 0; round < 3; round += 1) {
      const before = processorTicks();
      const running = statuses(lite, slow, 2);
      // Nothing that is shown says that they run; idle processes of the last round are there before them.
      await eventually(
        async () =>
          [...processorTicks()].filter(([pid, ticks]) => ticks > (before.get(pid) ?? 0) + START_TICKS)
            .length === 2,
        'two processes that are at it',
      );
      await command('board/storage/owner', 'crash');
      // Their ends reach the owner that comes next, together with these.
      expect(await statuses(lite, 'select 1 as one', 4), `round ${round}`).toEqual([200, 200, 200, 200]);
      expect(await running).toEqual([503, 503]);
    }
  });
});

describe('a catalogue that an operator stopped', () => {
  it('is shown; known projects are served, a feed starts without it, and all is well when it is back', async () => {
    expect(await statuses(lite, 'select 1 as one', 4)).toEqual([200, 200, 200, 200]);
    await command('board/catalogue', 'stop');
    const readyz = async (): Promise<BoardStatus> =>
      (await (await fetch(`${board.url}/readyz`)).json()) as BoardStatus; // contracts: /readyz
    await eventually(async () => {
      const { status, components } = await readyz();
      const shown = components.find((component) => component.name === 'catalogue')?.status;
      return status === 'degraded' && shown === 'stopped';
    }, 'the catalogue shown as stopped');
    expect(await statuses(lite, 'select 1 as one', 4)).toEqual([200, 200, 200, 200]);
    await crash('board/feed');
    await command('board/catalogue', 'restart');
    await eventually(async () => (await readyz()).status === 'ready', 'ready');
    expect((await board.admin('GET', '/admin/v1/projects')).status).toBe(200);
  });
});

describe('the providers of the engines', () => {
  it('are found anew each time: projects are made and dropped through whichever incarnation is up', async () => {
    for (const path of ['board/engines/sqlite', 'board/engines/postgres', 'board/engines']) {
      await crash(path);
      for (const engine of ['sqlite', 'postgres']) {
        const name = `after-${path.slice(6).replace('/', '-')}-${engine}`;
        const project = await eventually(() => board.createProject(name, engine), `a project on ${engine}`);
        expect((await board.sql(project, 'select 1 as one')).status).toBe(200);
        expect((await board.admin('DELETE', `/admin/v1/projects/${project.ref}`)).status).toBeLessThan(300);
        expect((await board.sql(project, 'select 1 as one')).status).toBe(404);
      }
    }
  });

  it('that are stopped refuse with a typed 503, and the other engine works', async () => {
    await command('board/engines/postgres', 'stop');
    const refused = await board.admin<{ code: string }>('POST', '/admin/v1/projects', {
      name: 'refused',
      engine: 'postgres',
    });
    expect([refused.status, refused.body.code]).toEqual([503, 'MAG_COMPONENT_UNAVAILABLE']);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect((await board.createProject('accepted', 'sqlite')).status).toBe('ready');
    await command('board/engines/postgres', 'restart');
    expect((await board.createProject('accepted-pg', 'postgres')).status).toBe('ready');
  });
});

describe('a feed that was down while its project was deleted', () => {
  it.each(['sqlite', 'postgres'])('removes what it left of it on %s when it is back', async (engine) => {
    const project = await board.createProject(`followed-${engine}`, engine);
    await board.sql(project, 'create table rows (id bigint primary key)');
    const client = createClient(project.url, project.keys.service);
    await new Promise<void>((resolve) => {
      client
        .channel('rows')
        .on('postgres_changes', { event: '*', schema: 'public', table: 'rows' }, () => {})
        .subscribe((status) => status === 'SUBSCRIBED' && resolve());
    });
    client.realtime.disconnect();
    const marker = join(board.folder, 'projects', project.ref, 'feed.active');
    expect(existsSync(marker)).toBe(true);
    await command('board/feed', 'stop');
    const dropped = await board.admin('DELETE', `/admin/v1/projects/${project.ref}`);
    expect(dropped.status, JSON.stringify(dropped.body)).toBeLessThan(300);
    await command('board/feed', 'restart');
    const left = (): string[] => {
      const folder = join(board.folder, 'projects', project.ref);
      return existsSync(folder) ? readdirSync(folder) : [];
    };
    await eventually(async () => left().length === 0, 'the end of its files');
  });
});
