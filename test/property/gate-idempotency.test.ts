import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, ExecuteContext } from '../../src/actors/storage/engine.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** One request: under which key, what it writes, whether it can succeed, and through which worker. */
interface Attempt {
  readonly key: number;
  readonly body: number;
  readonly fails: boolean;
  readonly worker: 0 | 1;
}

interface Reply {
  readonly attempt: Attempt;
  readonly status: number;
  readonly replayed: boolean;
  readonly text: string;
}

/** Two sessions on one database, as two edge workers have. */
interface Subject {
  readonly engines: readonly [Engine, Engine];
  context(): ExecuteContext;
  readonly table: string;
  close(): Promise<void>;
}

async function sqlite(): Promise<Subject> {
  const board = new SqliteBoard();
  return {
    engines: [await board.engine(REF), await board.engine(REF)],
    context: () => board.context({ ref: REF }),
    table:
      'create table effects (id integer primary key, name text not null, body integer check (body < 100))',
    close: () => board.close(),
  };
}

async function postgres(): Promise<Subject> {
  const server: EmbeddedPostgres = await embeddedPostgres();
  return {
    engines: [await server.engine(REF), await server.engine(REF)],
    context: () => server.context(REF),
    table:
      'create table effects (id bigint generated always as identity primary key, name text not null, body integer check (body < 100))',
    close: () => server.stop(),
  };
}

const attempt = (): fc.Arbitrary<Attempt> =>
  fc.record({
    key: fc.nat({ max: 3 }),
    body: fc.nat({ max: 1 }),
    fails: fc.boolean(),
    worker: fc.constantFrom(0 as const, 1 as const),
  });

/** Requests of one round are sent at once, the rounds one after the other. */
const rounds = (): fc.Arbitrary<readonly (readonly Attempt[])[]> =>
  fc.array(fc.array(attempt(), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 });

describe.each([
  ['sqlite', sqlite],
  ['postgres', postgres],
] as const)('retries under idempotency keys on %s, through two workers', (engine, open) => {
  let subject: Subject;
  let gates: readonly [TestGate, TestGate];
  let run = 0;

  beforeAll(async () => {
    subject = await open();
    await subject.engines[0].sql(subject.table, [], subject.context());
    gates = [await startGate(), await startGate()];
    for (const [at, gate] of gates.entries()) {
      gate.session = subject.engines[at as 0 | 1];
      gate.project = { ...handleOf(REF, SERVICE), engine };
    }
  });
  afterAll(async () => {
    await Promise.all(gates.map(({ gate }) => gate.close()));
    await subject.close();
  });

  async function send(each: Attempt): Promise<Reply> {
    const name = `${run}-${each.key}`;
    const reply = await gates[each.worker].call(
      'POST',
      `/p/${REF}/rest/v1/effects`,
      { name, body: each.fails ? 100 + each.body : each.body },
      { apikey: SERVICE, 'idempotency-key': name, prefer: 'return=representation' },
    );
    const replayed = reply.headers.get('idempotency-replayed') === 'true';
    return { attempt: each, status: reply.status, replayed, text: await reply.text() };
  }

  async function effects(): Promise<readonly { readonly name: string; readonly body: number }[]> {
    const { json } = await subject.engines[0].sql('select name, body from effects', [], subject.context());
    const { rows } = JSON.parse(json) as { rows: { name: string; body: number }[] };
    return rows.filter(({ name }) => name.startsWith(`${run}-`));
  }

  /** What the replies under one key must look like, given what was written under it. */
  function check(replies: readonly Reply[], written: readonly { readonly body: number }[]): void {
    const good = replies.filter(({ status }) => status === 201);
    const [winner] = written;
    expect(written.length).toBe(replies.some((reply) => !reply.attempt.fails) ? 1 : 0);
    expect(good.filter(({ replayed }) => !replayed)).toHaveLength(written.length);
    expect(new Set(good.map(({ text }) => text)).size).toBe(written.length);
    for (const {
      attempt: { body, fails },
      status,
    } of replies) {
      if (status === 201) expect([fails, body]).toEqual([false, winner?.body]);
      // It came before the one that won, or it is another request than that one.
      else if (fails) expect([400, 422]).toContain(status);
      else expect([status, body === winner?.body]).toEqual([422, false]);
    }
  }

  it('have exactly one effect a key, and every one of them its reply', async () => {
    await fc.assert(
      fc.asyncProperty(rounds(), async (given) => {
        run += 1;
        const replies: Reply[] = [];
        for (const round of given) replies.push(...(await Promise.all(round.map(send))));
        // Once more, one by one: whatever the order was, it stands.
        for (const { attempt: each, status } of [...replies])
          if (status === 201) replies.push(await send({ ...each, worker: each.worker === 0 ? 1 : 0 }));
        const written = await effects();
        for (const key of new Set(replies.map(({ attempt: { key } }) => key)))
          check(
            replies.filter((reply) => reply.attempt.key === key),
            written.filter(({ name }) => name === `${run}-${key}`),
          );
      }),
      { numRuns: 20 },
    );
  });
});
