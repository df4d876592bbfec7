import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENGINE_CAPABILITIES } from '../../src/actors/storage/capabilities.ts';
import { ENGINE_KINDS } from '../../src/protocol/project.ts';
import { eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { service } from '../support/services/index.ts';

/** All that can, as far as their servers are to be had here. */
const ENGINES = ENGINE_KINDS.filter(
  (engine) =>
    ENGINE_CAPABILITIES[engine].has('idempotency') &&
    (engine !== 'mysql' || service('mariadb').available) &&
    (engine !== 'redis' || service('redis').available),
);

/** On documents the first insert makes what it goes to. */
const TABLES: Readonly<Record<string, string>> = {
  sqlite: `create table written (id integer primary key, key text not null);
    create table accounts (id integer primary key, balance integer not null);
    create table transfers (id integer primary key, left_over integer not null)`,
  postgres: `create table written (id bigint generated always as identity primary key, key text not null);
    create table accounts (id bigint primary key, balance bigint not null);
    create table transfers (id bigint generated always as identity primary key, left_over bigint not null)`,
  mysql: `create table written (id bigint auto_increment primary key, \`key\` varchar(50) not null);
    create table accounts (id bigint primary key, balance bigint not null);
    create table transfers (id bigint auto_increment primary key, left_over bigint not null)`,
};

interface Reply {
  readonly status: number;
  readonly replayed: boolean;
  readonly text: string;
}

async function request(
  project: NewProject,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const reply = await fetch(`${project.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { apikey: project.keys.service, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const replayed = reply.headers.get('idempotency-replayed') === 'true';
  return { status: reply.status, replayed, text: await reply.text() };
}

const rows = async (project: NewProject, table: string): Promise<readonly Record<string, unknown>[]> =>
  JSON.parse((await request(project, `/rest/v1/${table}?limit=100000`)).text);

/** Of the second writer by native SQL, where the engine has it. */
async function insert(project: NewProject, key: string): Promise<Reply> {
  const headers = { 'idempotency-key': key, prefer: 'return=representation' };
  if (!key.startsWith('1-') || !ENGINE_CAPABILITIES[project.engine].has('sql'))
    return request(project, '/rest/v1/written', { key }, headers);
  const column = project.engine === 'mysql' ? '`key`' : '"key"';
  const mark = project.engine === 'postgres' ? '$1' : '?';
  const query = `insert into written (${column}) values (${mark})`;
  const reply = await request(project, '/sql/v1', { query, params: [key] }, headers);
  return reply.status === 200 ? { ...reply, status: 201 } : reply;
}

/** As a client does: what is said to be running still, or too busy, is asked for again. */
async function insertAgain(project: NewProject, key: string): Promise<Reply> {
  for (;;) {
    const reply = await insert(project, key);
    if (reply.status !== 409 && reply.status !== 503) return reply;
  }
}

/** What the load on one project has done by now. */
interface Load {
  readonly tried: string[];
  transferred: number;
  readonly refused: Reply[];
}

/** Written, running still, or too much at once for the machine: a server may open no connection for seconds then. */
const ORDINARY: ReadonlySet<number> = new Set([201, 409, 503]);

/** Inserts under new keys, each sent three times over, until the board dies. */
async function insertUntilDeath(project: NewProject, load: Load): Promise<void> {
  const writer = async (name: number): Promise<void> => {
    for (let count = 0; ; count += 1) {
      const key = `${name}-${count}`;
      load.tried.push(key);
      const replies = await Promise.allSettled([1, 2, 3].map(() => insert(project, key)));
      for (const each of replies) {
        if (each.status === 'rejected') return;
        if (!ORDINARY.has(each.value.status)) load.refused.push(each.value);
      }
    }
  };
  await Promise.all([writer(0), writer(1)]);
}

/** Moves one from the first account to the second, over and over, until the board dies. */
async function transferUntilDeath(project: NewProject, load: Load): Promise<void> {
  for (let left = 1_000; left > 0; left -= 1) {
    const one = { table: 'accounts', method: 'update', expect: { rows: 1 } };
    const operations = [
      { ...one, values: { balance: left - 1 }, where: { id: 1, balance: left } },
      { ...one, values: { balance: 1_001 - left }, where: { id: 2, balance: 1_000 - left } },
      { method: 'insert', table: 'transfers', values: { left_over: left - 1 } },
    ];
    try {
      let reply = await request(project, '/tx/v1', { operations });
      while (reply.status === 503) reply = await request(project, '/tx/v1', { operations });
      if (reply.status !== 200) load.refused.push(reply);
      load.transferred += 1;
    } catch {
      return; // The board is gone: what was not answered may or may not be there.
    }
  }
}

describe('kill -9 of the board in the middle of keyed writes and transactions on every engine', () => {
  let board: TestBoard;
  const loads = new Map<string, { readonly project: NewProject; readonly load: Load }>();

  beforeAll(async () => {
    const first = await startTestBoard();
    board = first;
    for (const engine of ENGINES) {
      const project = await first.createProject(`keys-${engine}`, engine);
      const ddl = TABLES[engine];
      if (ddl !== undefined) expect((await first.sql(project, ddl)).status).toBe(200);
      const accounts = [
        { id: 1, balance: 1_000 },
        { id: 2, balance: 0 },
      ];
      expect(await request(project, '/rest/v1/accounts', accounts)).toMatchObject({ status: 201 });
      loads.set(engine, { project, load: { tried: [], transferred: 0, refused: [] } });
    }
    const running = [...loads.values()].flatMap(({ project, load }) => [
      insertUntilDeath(project, load),
      transferUntilDeath(project, load),
    ]);
    const busy = (): boolean =>
      [...loads.values()].every(({ load }) => load.tried.length > 15 && load.transferred > 5);
    await eventually(async () => busy(), 'a load on every engine', 30_000);
    first.kill('SIGKILL');
    await Promise.all(running);
    await first.exited;
    board = await startTestBoard({ folder: first.folder });
  }, 90_000);
  afterAll(() => board.stop());

  it.each(ENGINES)('leaves one row for each key on %s, once all are sent again', async (engine) => {
    const { project: before, load } = loads.get(engine) ?? { project: undefined, load: undefined };
    if (before === undefined || load === undefined) throw new Error(`no load on ${engine}`);
    expect(load.refused).toEqual([]);
    const project = { ...before, url: `${board.url}/p/${before.ref}` };
    const replies = await Promise.all(load.tried.map((key) => insertAgain(project, key)));
    expect(replies.filter(({ status }) => status !== 201)).toEqual([]);
    // Each writer had one under way when the board died.
    expect(replies.filter(({ replayed }) => replayed).length).toBeGreaterThanOrEqual(load.tried.length - 2);
    const written = await rows(project, 'written');
    expect(written.map(({ key }) => key).sort()).toEqual([...load.tried].sort());
  });

  it.each(ENGINES)(
    'leaves every transfer on %s whole or absent, and no answered one absent',
    async (engine) => {
      const { project: before, load } = loads.get(engine) ?? { project: undefined, load: undefined };
      if (before === undefined || load === undefined) throw new Error(`no load on ${engine}`);
      const project = { ...before, url: `${board.url}/p/${before.ref}` };
      const balances = new Map(
        (await rows(project, 'accounts')).map(({ id, balance }) => [id, Number(balance)]),
      );
      const [left = 0, right = 0] = [balances.get(1), balances.get(2)];
      expect([left + right, (await rows(project, 'transfers')).length]).toEqual([1_000, right]);
      expect([load.transferred, load.transferred + 1]).toContain(right);
    },
  );
});
