import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create table things (id int primary key, name text);
insert into things select n, 'thing ' || n from generate_series(1, 20) as n;
create function all_things() returns setof things language sql stable as 'select * from things';
`;

let server: EmbeddedPostgres;
let board: TestGate;
let db: SupabaseClient;

const show = (plans: boolean): void => {
  const settings = plans ? { grants: [], plans } : { grants: [] };
  board.project = { ...handleOf(REF, SERVICE), engine: 'postgres', settings };
};

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  show(true);
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
  db = createClient(`${board.url}/p/${REF}`, SERVICE);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

const rest = async (method: string, path: string, accept: string, body?: object, prefer = '') => {
  const headers = { apikey: SERVICE, accept, ...(prefer === '' ? {} : { prefer }) };
  const reply = await board.call(method, `/p/${REF}/rest/v1/${path}`, body, headers);
  return { status: reply.status, type: reply.headers.get('content-type'), text: await reply.text() };
};
const costOf = (text: string): number => JSON.parse(text)[0].Plan['Total Cost'];
const JSON_PLAN = 'application/vnd.pgrst.plan+json';

describe('how a query runs, where the project shows it', () => {
  it('by the client: as text, as JSON, and as it ran', async () => {
    const text = await db.from('things').select().eq('id', 1).explain();
    expect([text.status, text.data]).toEqual([200, expect.stringMatching(/Index Scan.*\(cost=.*\n/s)]);
    const json = await db.from('things').select().explain({ format: 'json', analyze: true, verbose: true });
    const [{ Plan: plan }] = json.data as unknown as [{ Plan: Record<string, unknown> }];
    expect([plan['Actual Rows'], plan['Output']]).toEqual([20, expect.any(Array)]);
  });

  it('says of what and with what in its type, and text where nothing is said', async () => {
    const asked = `${JSON_PLAN}; for="application/vnd.pgrst.object+json"; options=settings|buffers|nonsense;`;
    expect(await rest('GET', 'things?id=eq.1', asked)).toMatchObject({
      status: 200,
      type: `${JSON_PLAN}; for="application/vnd.pgrst.object+json"; options=settings|buffers; charset=utf-8`,
    });
    expect(await rest('GET', 'things', 'application/vnd.pgrst.plan')).toMatchObject({
      type: 'application/vnd.pgrst.plan+text; for="application/json"; charset=utf-8',
      text: expect.stringContaining('Seq Scan'),
    });
    expect((await rest('GET', 'things', `${JSON_PLAN}; for="image/png"`)).status).toBe(406);
    const bad = await rest('GET', 'things', `${JSON_PLAN}; options=wal`);
    expect([bad.status, JSON.parse(bad.text).code]).toEqual([400, '22023']);
  });

  it('of writes, which do nothing, and of functions; with a count or without', async () => {
    const prefer = 'resolution=merge-duplicates,return=representation,count=exact';
    const plans = [
      await rest('POST', 'things', JSON_PLAN, { id: 99 }),
      await rest('POST', 'things', JSON_PLAN, [{ id: 1 }, { id: 98 }], prefer),
      await rest('PUT', 'things?id=eq.97', JSON_PLAN, { id: 97 }),
      await rest('PATCH', 'things?id=lt.5', JSON_PLAN, { name: 'x' }),
      await rest('DELETE', 'things?id=gt.3', JSON_PLAN),
      await rest('POST', 'rpc/all_things', JSON_PLAN, {}),
      await rest('GET', 'rpc/all_things?id=eq.1', JSON_PLAN),
      await rest('GET', 'things', JSON_PLAN, undefined, 'count=planned'),
    ];
    expect(plans.map(({ status, type }) => [status, type])).toEqual(
      plans.map(() => [200, `${JSON_PLAN}; for="application/json"; charset=utf-8`]),
    );
    for (const { text } of plans) expect(costOf(text)).toBeGreaterThan(0);
    const left = await db.from('things').select('name', { count: 'exact' }).like('name', 'thing%');
    expect(left.count).toBe(20);
  });

  it('is not for a key that makes a write happen once', async () => {
    const headers = { apikey: SERVICE, accept: JSON_PLAN, 'idempotency-key': 'k' };
    const reply = await board.call('POST', `/p/${REF}/rest/v1/things`, { id: 90 }, headers);
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({ code: 'MAG_IDEMPOTENCY_KEY_INVALID' });
  });

  it('and is not shown where the project does not say so', async () => {
    show(false);
    const refused = await rest('GET', 'things', JSON_PLAN);
    const other = await rest('GET', 'things', `${JSON_PLAN}, application/json;q=0.5`);
    show(true);
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([406, 'PGRST107']);
    expect([other.status, other.type]).toEqual([200, 'application/json; charset=utf-8']);
  });
});
