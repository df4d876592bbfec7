import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineKind } from '../../src/protocol/project.ts';
import { DocumentBoard } from '../support/document-board.ts';
import { embeddedPostgres } from '../support/embedded-postgres.ts';
import { handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { externalMysql } from '../support/mysql.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

interface Reply {
  readonly status: number;
  readonly replayed: boolean;
  readonly omitted: boolean;
  readonly body: { rows?: unknown[]; rowCount?: number; code?: string; message?: string };
}

async function sql(gate: TestGate, query: string, key?: string, params?: readonly unknown[]): Promise<Reply> {
  const headers = { apikey: SERVICE, ...(key === undefined ? {} : { 'idempotency-key': key }) };
  const body = { query, ...(params === undefined ? {} : { params }) };
  const reply = await gate.call('POST', `/p/${REF}/sql/v1`, body, headers);
  return {
    status: reply.status,
    replayed: reply.headers.get('idempotency-replayed') === 'true',
    omitted: reply.headers.get('idempotency-body') === 'omitted',
    body: JSON.parse(await reply.text()),
  };
}

interface Rig {
  readonly gate: TestGate;
  stop(): Promise<void>;
}

async function gateOn(
  engine: EngineKind,
  session: TestGate['session'],
  stop: () => Promise<void>,
): Promise<Rig> {
  const gate = await startGate();
  gate.session = session;
  gate.project = { ...handleOf(REF, SERVICE), engine };
  return {
    gate,
    stop: async () => {
      await gate.gate.close();
      await stop();
    },
  };
}

const RIGS: Readonly<Record<'sqlite' | 'postgres' | 'mysql', () => Promise<Rig>>> = {
  sqlite: async () => {
    const board = new SqliteBoard();
    return gateOn('sqlite', await board.engine(REF), () => board.close());
  },
  postgres: async () => {
    const server = await embeddedPostgres();
    return gateOn('postgres', await server.engine(REF), () => server.stop());
  },
  mysql: async () => {
    const server = externalMysql();
    return gateOn('mysql', await server.engine(REF), () => server.stop());
  },
};

/** What no transaction with a record can hold, and what the refusal says of it. */
const REFUSED: Readonly<Record<keyof typeof RIGS, readonly (readonly [string, string])[]>> = {
  sqlite: [
    ['insert into t values (9); commit', 'begins or ends transactions itself (COMMIT)'],
    ['vacuum', 'cannot be part of a transaction (VACUUM)'],
  ],
  postgres: [
    ['insert into t values (9); /* so */ commit', 'begins or ends transactions itself (COMMIT)'],
    ['select \';\' as "a;", $q$ ; $q$; -- ;\n rollback', 'begins or ends transactions itself (ROLLBACK)'],
    ['vacuum t', 'cannot be part of a transaction (VACUUM cannot run inside a transaction block)'],
    ['create index concurrently on t (id)', 'cannot be part of a transaction (CREATE INDEX CONCURRENTLY'],
    [
      'create procedure p() language plpgsql as $$ begin insert into t values (8); commit; end $$; call p()',
      'cannot be part of a transaction (invalid transaction termination)',
    ],
  ],
  mysql: [
    ['start transaction; insert into t values (9)', 'begins or ends transactions itself (START TRANSACTION)'],
    ['insert into t values (9); create table u (id int)', 'CREATE TABLE, which ends the transaction'],
    ['call p()', 'CALL, which ends the transaction that it is in on MySQL, or may'],
  ],
};

describe.each(['sqlite', 'postgres', 'mysql'] as const)(
  'native SQL under an idempotency key, on %s',
  (engine) => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await RIGS[engine]();
      expect((await sql(rig.gate, 'create table t (id int primary key)')).status).toBe(200);
    });
    afterAll(() => rig.stop());
    const ids = async (): Promise<unknown[] | undefined> =>
      (await sql(rig.gate, 'select id from t order by id')).body.rows;

    it('has one effect, and its retry the reply of the first', async () => {
      const mark = engine === 'postgres' ? '$1' : '?';
      const first = await sql(rig.gate, `insert into t values (${mark})`, 'one', [1]);
      const again = await sql(rig.gate, `insert into t values (${mark})`, 'one', [1]);
      expect(first.body).toMatchObject({ rowCount: 1 });
      expect([first.status, again.status, again.body]).toEqual([200, 200, first.body]);
      expect([first.replayed, again.replayed]).toEqual([false, true]);
      expect(await ids()).toEqual([{ id: 1 }]);
      const other = await sql(rig.gate, `insert into t values (${mark})`, 'one', [2]);
      expect([other.status, other.body.code]).toEqual([422, 'MAG_IDEMPOTENCY_MISMATCH']);
    });

    it('has one effect for retries that come together', async () => {
      const replies = await Promise.all(
        Array.from({ length: 6 }, () =>
          sql(rig.gate, 'insert into t values (2); select id from t where id = 2', 'both'),
        ),
      );
      expect(replies.map(({ body }) => body.rows)).toEqual(replies.map(() => [{ id: 2 }]));
      expect(replies.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(await ids()).toEqual([{ id: 1 }, { id: 2 }]);
    });

    it('leaves nothing where it fails, so that a retry runs', async () => {
      const failing = 'insert into t values (3); insert into t values (1)';
      expect((await sql(rig.gate, failing, 'fails')).status).toBe(409);
      expect(await ids()).toEqual([{ id: 1 }, { id: 2 }]);
      await sql(rig.gate, 'delete from t where id = 1');
      const again = await sql(rig.gate, failing, 'fails');
      expect([again.status, again.replayed]).toEqual([200, false]);
      expect(await ids()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    });

    it('remembers of a result that is too large that it was', async () => {
      const large = `select '${'x'.repeat(300_000)}' as text`;
      expect((await sql(rig.gate, large, 'large')).body.rows).toHaveLength(1);
      const again = await sql(rig.gate, large, 'large');
      expect([again.omitted, again.body.rows, again.body.rowCount]).toEqual([true, [], 1]);
    });

    it.each(REFUSED[engine])('refuses %s by name, and nothing of it is there', async (script, why) => {
      const before = await ids();
      const { status, body } = await sql(rig.gate, script, `refused ${script.length}`);
      expect([status, body.code], body.message).toEqual([400, 'MAG_IDEMPOTENCY_KEY_INVALID']);
      expect(body.message).toContain(why);
      expect(await ids()).toEqual(before);
    });

    it('leaves nothing of its session to the next statement', async () => {
      const script = {
        sqlite: 'create temp table left_over (n int)',
        postgres: "create temp table left_over (n int); set search_path = 'pg_catalog'; set role anon",
        mysql: 'select @left := 1',
      }[engine];
      expect((await sql(rig.gate, script, 'session')).status).toBe(200);
      const looked = {
        sqlite: 'left_over',
        postgres: 'left_over',
        mysql: '(select @left as n) x where n is not null',
      };
      const { status, body } = await sql(rig.gate, `select * from ${looked[engine]}`);
      if (engine === 'mysql') expect(body.rows).toEqual([]);
      else expect(status).toBe(404);
      expect((await sql(rig.gate, 'select id from t where id = 2', 'after')).body.rows).toEqual([{ id: 2 }]);
    });
  },
);

describe('definitions under an idempotency key', () => {
  it.each(['sqlite', 'postgres'] as const)('are made once on %s, and seen by REST', async (engine) => {
    const rig = await RIGS[engine]();
    try {
      const script = 'create table made (id int primary key); insert into made values (1)';
      expect((await sql(rig.gate, script, 'ddl')).status).toBe(200);
      expect((await sql(rig.gate, script, 'ddl')).replayed).toBe(true);
      const rest = await rig.gate.call('GET', `/p/${REF}/rest/v1/made`, undefined, { apikey: SERVICE });
      expect(await rest.json()).toEqual([{ id: 1 }]);
    } finally {
      await rig.stop();
    }
  });
});

describe('native commands under an idempotency key', () => {
  it('are refused by name, and not run', async () => {
    const documents = new DocumentBoard();
    const rig = await gateOn('mongodb', await documents.engine(REF), () => documents.close());
    try {
      const send = (command: object, key: Record<string, string>): Promise<Response> =>
        rig.gate.call('POST', `/p/${REF}/native/v1`, { command }, { apikey: SERVICE, ...key });
      const insert = { insert: 'things', documents: [{ _id: 1 }] };
      const refused = await send(insert, { 'idempotency-key': 'x' });
      expect([refused.status, await refused.json()]).toEqual([
        400,
        expect.objectContaining({ code: 'MAG_IDEMPOTENCY_KEY_INVALID' }),
      ]);
      expect(await (await send({ count: 'things' }, {})).text()).toContain('"n":0');
    } finally {
      await rig.stop();
    }
  });
});

it("a routine's body in SQL's own words is no transaction of a script under a key", async () => {
  const rig = await RIGS.postgres();
  try {
    const script = `create table made (id int); create function make(n int) returns int
      begin atomic insert into made values (n); select case when n > 0 then n end; end; select make(7) as n`;
    expect((await sql(rig.gate, script, 'body')).body.rows).toEqual([{ n: 7 }]);
    expect(await sql(rig.gate, script, 'body')).toMatchObject({ status: 200, replayed: true });
    expect((await sql(rig.gate, 'select id from made')).body.rows).toEqual([{ id: 7 }]);
    const ended = await sql(
      rig.gate,
      `${script.replaceAll('made', 'again').replace('make', 'remake')}; end`,
      'ended',
    );
    expect([ended.status, ended.body.code]).toEqual([400, 'MAG_IDEMPOTENCY_KEY_INVALID']);
  } finally {
    await rig.stop();
  }
});
