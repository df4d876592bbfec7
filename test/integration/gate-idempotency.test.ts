import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { StageHook } from '../../src/actors/gate/hooks.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Row } from '../../src/protocol/query.ts';
import { ANON, handleOf, REF, SERVICE, startGate } from '../support/gate.ts';

const executedHooks: StageHook[] = [];
const board = await startGate([], { hooks: { executed: executedHooks } });
afterAll(() => board.gate.close());

beforeEach(() => {
  board.project = handleOf(REF, SERVICE);
  board.engine.create('todos', ['id', 'title']);
  board.engine.records.clear();
  executedHooks.length = 0;
});

const rows = (): readonly Row[] => board.engine.tables.get('todos')?.rows ?? [];
const path = `/p/${REF}/rest/v1/todos`;
const representation = { prefer: 'return=representation' };

function write(
  key: string,
  body: unknown,
  headers: Record<string, string> = {},
  [method, at]: [string, string] = ['POST', path],
): Promise<Response> {
  return board.call(method, at, body, { apikey: SERVICE, 'idempotency-key': key, ...headers });
}

const codeOf = async (reply: Response): Promise<[number, unknown]> => {
  const body = (await reply.json()) as { code: unknown };
  return [reply.status, body.code];
};

describe('a write with an Idempotency-Key', () => {
  it('has one effect, and its retry the reply of the first', async () => {
    const first = await write('a', { title: 'x' }, representation);
    const again = await write('a', { title: 'x' }, representation);
    expect([first.status, await first.json()]).toEqual([201, [{ id: 1, title: 'x' }]]);
    expect([again.status, await again.json()]).toEqual([201, [{ id: 1, title: 'x' }]]);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.headers.get('content-range')).toBe(first.headers.get('content-range'));
    expect(rows()).toEqual([{ id: 1, title: 'x' }]);
  });

  it('may be any write', async () => {
    await write('in', { id: 7, title: 'x' });
    const change = ['PATCH', `${path}?id=eq.7`] as [string, string];
    const remove = ['DELETE', `${path}?id=eq.7`] as [string, string];
    const located = await write('loc', { title: 'y' }, { prefer: 'return=headers-only' });
    const relocated = await write('loc', { title: 'y' }, { prefer: 'return=headers-only' });
    expect(relocated.headers.get('location')).toBe(located.headers.get('location'));
    expect([(await write('c', { title: 'z' }, {}, change)).status, rows()[0]?.title]).toEqual([204, 'z']);
    await board.call('PATCH', `${path}?id=eq.7`, { title: 'later' }, { apikey: SERVICE });
    expect([(await write('c', { title: 'z' }, {}, change)).status, rows()[0]?.title]).toEqual([204, 'later']);
    expect((await write('d', undefined, {}, remove)).status).toBe(204);
    await write('e', { id: 7, title: 'again' });
    expect((await write('d', undefined, {}, remove)).headers.get('idempotency-replayed')).toBe('true');
    expect(rows().map(({ id }) => id)).toContain(7);
  });

  it('may be a transaction', async () => {
    const operations = [
      { name: 'a', method: 'insert', table: 'todos', values: { title: 'x' }, query: 'select=id' },
      { method: 'insert', table: 'todos', values: { title: { $ref: 'a.0.id' } } },
    ];
    const at = ['POST', `/p/${REF}/tx/v1`] as [string, string];
    const first = await write('t', { operations }, {}, at);
    const again = await write('t', { operations }, {}, at);
    expect(await again.text()).toBe(await first.text());
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(rows()).toHaveLength(2);
    const other = await write('t', { operations: operations.slice(0, 1) }, {}, at);
    expect(await codeOf(other)).toEqual([422, 'MAG_IDEMPOTENCY_MISMATCH']);
  });

  it('is refused where the key was used for another request', async () => {
    await write('a', { title: 'x' });
    for (const other of [
      write('a', { title: 'y' }),
      write('a', { title: 'x' }, representation),
      write('a', { title: 'x' }, {}, ['PATCH', `${path}?id=eq.1`]),
      write('a', { title: 'x' }, {}, ['POST', `${path}?columns=title`]),
    ])
      expect(await codeOf(await other)).toEqual([422, 'MAG_IDEMPOTENCY_MISMATCH']);
    expect(rows()).toHaveLength(1);
  });

  it('is the same write in quotes, under a rotated key, and however the project key is sent', async () => {
    await write('a', { title: 'x' });
    const quoted = await write('"a"', { title: 'x' });
    const byQuery = await board.call(
      'POST',
      `${path}?apikey=${SERVICE}`,
      { title: 'x' },
      { 'idempotency-key': 'a' },
    );
    expect([quoted, byQuery].map((reply) => reply.headers.get('idempotency-replayed'))).toEqual([
      'true',
      'true',
    ]);
  });

  it('leaves nothing where it fails: the retry runs', async () => {
    expect((await write('a', { nothing: 1 })).status).toBe(400);
    expect(board.engine.records.size).toBe(0);
    const retried = await write('a', { title: 'x' });
    expect([retried.status, retried.headers.get('idempotency-replayed')]).toEqual([201, null]);
  });

  it('belongs to the role that uses it', async () => {
    board.project = handleOf(REF, SERVICE, [{ role: 'anon', table: '*', actions: ['insert'] }]);
    await write('a', { title: 'x' });
    expect(
      (await write('a', { title: 'x' }, { apikey: ANON })).headers.get('idempotency-replayed'),
    ).toBeNull();
    expect(rows()).toHaveLength(2);
  });

  it('passes every stage again: what was allowed then is no right to see it now', async () => {
    board.project = handleOf(REF, SERVICE, [{ role: 'anon', table: '*', actions: ['insert', 'select'] }]);
    await write('a', { title: 'x' }, { apikey: ANON, ...representation });
    board.project = { ...handleOf(REF, SERVICE), version: 2 };
    const refused = await write('a', { title: 'x' }, { apikey: ANON, ...representation });
    expect(await codeOf(refused)).toEqual([403, 'MAG_FORBIDDEN']);
  });

  it('shows a retry what the hooks let the first see', async () => {
    executedHooks.push(async (request) => {
      if (request.result !== null) request.result = { ...request.result, json: '[{"masked":true}]' };
    });
    await write('a', { title: 'x' }, representation);
    expect(await (await write('a', { title: 'x' }, representation)).json()).toEqual([{ masked: true }]);
  });

  it('is remembered without its rows where these are too large', async () => {
    const title = 'x'.repeat(LIMITS.idempotencyBytes);
    expect(await (await write('a', { title }, representation)).json()).toEqual([{ id: 1, title }]);
    const again = await write('a', { title }, representation);
    expect([again.status, await again.text(), again.headers.get('idempotency-body')]).toEqual([
      201,
      '',
      'omitted',
    ]);
    expect(rows()).toHaveLength(1);
  });

  it('runs anew once its time is over', async () => {
    await write('a', { title: 'x' });
    for (const [key, record] of board.engine.records)
      board.engine.records.set(key, { ...record, expires: 0 });
    expect((await write('a', { title: 'y' })).status).toBe(201);
    expect(rows()).toHaveLength(2);
  });

  it('that runs already makes its retries wait, and all of them have the one reply', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => write('a', { title: 'x' }, representation)),
    );
    expect(await Promise.all(replies.map((reply) => reply.json()))).toEqual(
      Array.from({ length: 20 }, () => [{ id: 1, title: 'x' }]),
    );
    expect(replies.filter((reply) => reply.headers.get('idempotency-replayed') === null)).toHaveLength(1);
  });

  it.each([
    ['', 'it is empty'],
    ['""', 'it is empty'],
    ['a'.repeat(LIMITS.idempotencyKeyChars + 1), 'it is longer than 255 characters'],
    ['a\tb', 'it holds other characters than printable ASCII'],
  ])('is refused where the key is %j', async (key, problem) => {
    const reply = await write(key, { title: 'x' });
    const body = (await reply.json()) as { code: string; message: string };
    expect([reply.status, body.code]).toEqual([400, 'MAG_IDEMPOTENCY_KEY_INVALID']);
    expect(body.message).toContain(problem);
    expect(rows()).toEqual([]);
  });

  it('is no native SQL on an engine that cannot record it', async () => {
    const reply = await write('a', { query: 'select 1' }, {}, ['POST', `/p/${REF}/sql/v1`]);
    expect(await codeOf(reply)).toEqual([400, 'MAG_ENGINE_UNSUPPORTED']);
  });
});

describe('a read', () => {
  it('needs no key and looks at none', async () => {
    const reply = await board.get(path, { apikey: SERVICE, 'idempotency-key': '' });
    expect(reply.status).toBe(200);
  });
});
