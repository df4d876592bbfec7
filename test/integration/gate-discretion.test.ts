import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection } from '../../src/protocol/project.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create table posts (id int primary key, title text);
create table people (id int primary key, name text);
create table private_notes (id int primary key, post int references posts (id));
create table public_notes (id int primary key, post int references posts (id));
create table readers (post int references posts (id), person int references people (id), primary key (post, person));
alter table posts add writer int references people (id);
create function secret_sum(code int) returns int language sql as 'select 1';
create function open_sum(code int) returns int language sql as 'select 1';
revoke execute on function secret_sum from public, anon;
revoke all on private_notes, readers from anon;`;

let server: EmbeddedPostgres;
let board: TestGate;
let connection: Connection;

function settle(settings: object): void {
  board.project = {
    ...{ ...handleOf(REF, SERVICE), engine: 'postgres' as const, connection },
    settings: { grants: [], ...settings },
  };
}

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  connection = await server.provider.connect(REF);
  settle({ access: 'policies' });
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

const asked = async (path: string, apikey: string): Promise<Record<string, unknown>> =>
  Object(await (await board.get(`/p/${REF}/rest/v1/${path}`, { apikey })).json());
const operated = async (operation: object, apikey: string): Promise<Record<string, unknown>> => {
  const body = { operations: [operation] };
  return Object(await (await board.call('POST', `/p/${REF}/tx/v1`, body, { apikey })).json());
};

const HIDDEN = [
  ['private_note', 'PGRST205', 'private_notes'],
  ['posts?select=private_note(*)', 'PGRST200', 'private_notes'],
  ['posts?select=people(*)', 'PGRST201', 'readers'],
  ['rpc/secret_sun', 'PGRST202', 'secret_sum'],
  ['rpc/secret_sum?cod=1', 'PGRST202', '(code)'],
] as const;

describe('an error under policies', () => {
  it.each(HIDDEN)('of %s names to nobody what it may not use', async (path, code, name) => {
    settle({ access: 'policies' });
    const { code: given, details, hint } = await asked(path, ANON);
    expect([given, hint]).toEqual([code, null]);
    expect(JSON.stringify(details)).not.toContain(name);
    expect(JSON.stringify(await asked(path, SERVICE))).toContain(name);
  });

  it.each([
    ['public_note', 'PGRST205', 'public_notes'],
    ['posts?select=public_note(*)', 'PGRST200', 'public_notes'],
    ['rpc/open_sun', 'PGRST202', 'open_sum'],
    ['rpc/open_sum?cod=1', 'PGRST202', '(code)'],
  ])('of %s names what is like it', async (path, code, name) => {
    settle({ access: 'policies' });
    const { code: given, hint } = await asked(path, ANON);
    expect([given, hint]).toEqual([code, expect.stringContaining(name)]);
  });

  it('is as discreet in a transaction', async () => {
    settle({ access: 'policies' });
    const operation = { method: 'select', table: 'private_note' };
    expect(await operated(operation, ANON)).toMatchObject({ code: 'PGRST205', hint: null });
    expect((await operated(operation, SERVICE))['hint']).toContain('private_notes');
  });
});

describe('an error under grants', () => {
  it('names no table that no grant names', async () => {
    settle({ grants: [{ role: 'anon', table: 'posts', actions: ['select'] }] });
    const wrong = 'posts?select=public_note(*)';
    expect(await asked(wrong, ANON)).toMatchObject({ code: 'PGRST200', hint: null });
    expect(await asked('posts?select=people(*)', ANON)).toMatchObject({ code: 'PGRST201', details: null });
    const tables = ['posts', 'public_notes'].map((table) => ({ role: 'anon', table, actions: ['select'] }));
    settle({ grants: tables });
    expect((await asked(wrong, ANON))['hint']).toContain('public_notes');
  });

  it('tells nothing of how tables hang together to who may do nothing with the first of them', async () => {
    settle({ grants: [] });
    const operation = (select: string) => ({ method: 'select', table: 'posts', query: `select=${select}` });
    for (const select of ['nothing(*)', 'people(*)', 'private_notes(*)'])
      expect(await operated(operation(select), ANON)).toMatchObject({ code: 'MAG_FORBIDDEN' });
  });
});
