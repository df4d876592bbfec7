import { afterEach, describe, expect, it } from 'vitest';
import type { Stage, StageHook } from '../../src/actors/gate/hooks.ts';
import { MagError } from '../../src/errors.ts';
import { REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const open: TestGate[] = [];
const path = `/p/${REF}/rest/v1/todos`;
const key = { apikey: SERVICE };

async function start(...given: Parameters<typeof startGate>): Promise<TestGate> {
  const board = await startGate(...given);
  board.engine.create('todos', ['id', 'title']);
  open.push(board);
  return board;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((board) => board.gate.close()));
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('the stages of a request', () => {
  it('call their hooks in order, each knowing what is known by then', async () => {
    const seen: [Stage, string | undefined, number | undefined][] = [];
    const note =
      (stage: Stage): StageHook =>
      async ({ query, result }) => {
        seen.push([stage, query?.kind, result?.rowCount]);
      };
    const board = await start([], {
      hooks: {
        authenticated: [note('authenticated')],
        parsed: [note('parsed')],
        authorised: [note('authorised')],
        executed: [note('executed')],
      },
    });
    expect((await board.get(path, key)).status).toBe(200);
    expect(seen).toEqual([
      ['authenticated', undefined, undefined],
      ['parsed', 'select', undefined],
      ['authorised', 'select', undefined],
      ['executed', 'select', 0],
    ]);
  });

  it('are refused by a hook that rejects', async () => {
    const refuse: StageHook = async () => {
      throw new MagError('MAG_RATE_LIMITED');
    };
    const board = await start([], { hooks: { authorised: [refuse] } });
    const reply = await board.call('POST', path, { id: 1 }, key);
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '1']);
    expect(board.engine.tables.get('todos')?.rows).toEqual([]);
    expect(board.nudged).toEqual([]);
  });
});

describe('a client that goes away', () => {
  it('has its statement aborted', async () => {
    const board = await start();
    board.engine.hang = true;
    const leave = new AbortController();
    const gone = fetch(board.url + path, { headers: key, signal: leave.signal }).catch(() => 'gone');
    await until(() => board.engine.signals.length === 1);
    leave.abort();
    expect(await gone).toBe('gone');
    await until(() => board.engine.signals[0]?.aborted === true);
  });
});

describe('an unexpected error', () => {
  it('tells the client nothing but the id under which the log has it all', async () => {
    const board = await start([], {
      hooks: { executed: [() => Promise.reject(new TypeError('password=hunter2'))] },
    });
    const reply = await board.get(path, key);
    const text = await reply.text();
    expect(reply.status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({ code: 'MAG_INTERNAL', details: null });
    expect(text).not.toContain('hunter2');
    const id = reply.headers.get('x-request-id');
    expect(board.logged).toContainEqual(expect.objectContaining({ request: id, error: 'password=hunter2' }));
  });

  it('in a route outside REST is treated alike', async () => {
    const board = await start();
    board.answers.METRICS = () => {
      throw new TypeError('password=hunter2');
    };
    const reply = await board.get('/metrics');
    expect(reply.status).toBe(500);
    expect(await reply.text()).not.toContain('hunter2');
    expect(JSON.stringify(board.logged)).toContain('hunter2');
  });
});

describe('what the gate counts', () => {
  it('is every reply under its route and status', async () => {
    const board = await start();
    await board.get(path, key);
    await board.get(path);
    await board.get('/livez');
    await board.get('/nothing');
    const { routes } = board.gate.stats();
    expect([routes.rest.statuses[2], routes.rest.statuses[4], routes.health.statuses[2]]).toEqual([1, 1, 1]);
    expect(routes.ui.statuses[4]).toBe(1);
  });
});
