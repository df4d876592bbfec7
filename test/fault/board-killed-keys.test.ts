import { afterEach, describe, expect, it } from 'vitest';
import { type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard | undefined;
afterEach(async () => {
  await board?.stop();
  board = undefined;
});

const TABLES: Readonly<Record<string, string>> = {
  sqlite: `create table written (id integer primary key, key text not null);
    create table accounts (id integer primary key, balance integer not null);
    create table transfers (id integer primary key, left_over integer not null);
    insert into accounts values (1, 1000), (2, 0)`,
  postgres: `create table written (id bigint generated always as identity primary key, key text not null);
    create table accounts (id bigint primary key, balance bigint not null);
    create table transfers (id bigint generated always as identity primary key, left_over bigint not null);
    insert into accounts values (1, 1000), (2, 0)`,
};

interface Reply {
  readonly status: number;
  readonly replayed: boolean;
  readonly text: string;
}

async function post(project: NewProject, path: string, body: unknown, key?: string): Promise<Reply> {
  const reply = await fetch(`${project.url}${path}`, {
    method: 'POST',
    headers: {
      apikey: project.keys.service,
      'content-type': 'application/json',
      prefer: 'return=representation',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: JSON.stringify(body),
  });
  const replayed = reply.headers.get('idempotency-replayed') === 'true';
  return { status: reply.status, replayed, text: await reply.text() };
}

const insert = (project: NewProject, key: string): Promise<Reply> =>
  post(project, '/rest/v1/written', { key }, key);

/** Inserts under new keys, each sent three times over, until the board dies. Gives every key that was tried. */
async function insertUntilDeath(project: NewProject, writers: number): Promise<string[]> {
  const tried: string[] = [];
  const writer = async (name: number): Promise<void> => {
    for (let count = 0; ; count += 1) {
      const key = `${name}-${count}`;
      tried.push(key);
      const replies = await Promise.allSettled([1, 2, 3].map(() => insert(project, key)));
      if (replies.some((reply) => reply.status === 'rejected' || reply.value.status !== 201)) return;
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, name) => writer(name)));
  return tried;
}

/** Moves one from the first account to the second, over and over, until the board dies; gives how often it said yes. */
async function transferUntilDeath(project: NewProject): Promise<number> {
  let done = 0;
  for (let left = 1_000; left > 0; left -= 1) {
    const one = { table: 'accounts', method: 'update', expect: { rows: 1 } };
    const operations = [
      { ...one, values: { balance: left - 1 }, where: { id: 1, balance: left } },
      { ...one, values: { balance: 1_001 - left }, where: { id: 2, balance: 1_000 - left } },
      { method: 'insert', table: 'transfers', values: { left_over: left - 1 } },
    ];
    try {
      const { status } = await post(project, '/tx/v1', { operations });
      if (status !== 200) return done;
      done += 1;
    } catch {
      return done;
    }
  }
  return done;
}

describe.each(['sqlite', 'postgres'])(
  'kill -9 of the board in the middle of keyed writes and transactions on %s',
  (engine) => {
    it('leaves one row for each key once all are sent again, and every transfer whole or absent', async () => {
      const first = await startTestBoard();
      board = first;
      const before = await first.createProject('keys', engine);
      expect((await first.sql(before, TABLES[engine] ?? '')).status).toBe(200);
      const load = Promise.all([insertUntilDeath(before, 3), transferUntilDeath(before)]);
      setTimeout(() => first.kill('SIGKILL'), 1_000);
      const [tried, transferred] = await load;
      await first.exited;
      expect([tried.length > 20, transferred > 5]).toEqual([true, true]);

      const second = await startTestBoard({ folder: first.folder });
      board = second;
      const project = { ...before, url: `${second.url}/p/${before.ref}` };
      const replies = await Promise.all(tried.map((key) => insert(project, key)));
      expect(replies.filter(({ status }) => status !== 201)).toEqual([]);
      expect(replies.filter(({ replayed }) => replayed).length).toBeGreaterThan(tried.length / 2);
      const { body } = await second.sql(project, 'select key, count(*) as n from written group by key');
      const counts = new Map(body.rows.map(({ key, n }) => [key, Number(n)]));
      expect([...counts].filter(([, count]) => count !== 1)).toEqual([]);
      expect([...counts.keys()].sort()).toEqual([...tried].sort());

      const balances = await second.sql(project, 'select balance from accounts order by id');
      const [left, right] = balances.body.rows.map((row) => Number(row.balance));
      const transfers = await second.sql(project, 'select count(*) as n from transfers');
      expect([(left ?? 0) + (right ?? 0), Number(transfers.body.rows[0]?.n)]).toEqual([1_000, right]);
      expect(right).toBeGreaterThanOrEqual(transferred);
    });
  },
);
