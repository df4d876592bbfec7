import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenKeys } from '../../src/actors/psu/token-keys.ts';
import { mintToken } from '../../src/actors/psu/token-mint.ts';
import type { Grant, Principal } from '../../src/protocol/principal.ts';
import type { ProjectSettings } from '../../src/protocol/project.ts';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { ANON, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const ALICE = '11111111-1111-4111-8111-111111111111';
const BOB = '22222222-2222-4222-8222-222222222222';

let pg: EmbeddedPostgres;
let board: TestGate;
let url: string;

const masterKey = Buffer.alloc(32, 7);

function token(role: Principal['role'], sub?: string): string {
  const signer = { masterKey, ref: REF, version: 1, url, now: Date.now() };
  return mintToken(signer, { role, ...(sub === undefined ? {} : { claims: { sub, email: 'a@x.org' } }) })
    .token;
}

/** supabase-js as an app uses it: the anon key, and a token where somebody is signed in. */
const client = (accessToken?: string, key = ANON): SupabaseClient =>
  createClient(url, key, accessToken === undefined ? {} : { accessToken: async () => accessToken });

function use(settings: ProjectSettings): void {
  board.project = { ...board.project, settings };
}

beforeAll(async () => {
  pg = await embeddedPostgres();
  board = await startGate();
  url = `${board.url}/p/${REF}`;
  board.session = await pg.engine('shop');
  const connection = await pg.provider.connect('shop');
  const keys = tokenKeys(masterKey, REF, 1);
  board.project = { ...board.project, engine: 'postgres', connection, tokenKeys: keys };
  use({ grants: [], access: 'policies' });
  const query = `
    create table profiles (id uuid primary key default auth.uid(), name text not null, hidden boolean not null default false);
    alter table profiles enable row level security;
    create policy "Profiles that are shown are everyone's" on profiles for select using (not hidden or auth.uid() = id);
    create policy "People make their own" on profiles for insert to authenticated with check ((select auth.uid()) = id);
    create policy "People change their own" on profiles for update to authenticated using ((select auth.uid()) = id) with check (auth.uid() = id);
    create policy "Nobody deletes but staff" on profiles for delete to authenticated using (auth.jwt() -> 'app_metadata' ->> 'staff' = 'true');
    create table internal (a int); revoke all on internal from anon, authenticated;
    create table open_to_all (a int)`;
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query }, { apikey: SERVICE });
  expect(made.status, await made.clone().text()).toBe(200);
});
afterAll(async () => {
  await board.gate.close();
  await pg.stop();
});

describe('supabase-js on a project whose policies decide', () => {
  it('lets signed-in people make and change what is theirs, and nothing else', async () => {
    const alice = client(token('authenticated', ALICE));
    const bob = client(token('authenticated', BOB));
    expect((await alice.from('profiles').insert({ name: 'Alice' }).select().single()).data).toEqual({
      ...{ id: ALICE, name: 'Alice', hidden: false },
    });
    expect((await bob.from('profiles').insert({ id: BOB, name: 'Bob', hidden: true })).error).toBeNull();
    const taken = await bob
      .from('profiles')
      .insert({ id: '33333333-3333-4333-8333-333333333333', name: 'Eve' });
    expect(taken.status).toBe(403);
    expect(taken.error).toMatchObject({
      code: '42501',
      message: 'new row violates row-level security policy for table "profiles"',
    });
    const changed = await bob.from('profiles').update({ name: 'x' }).neq('name', '').select('id');
    expect(changed.data).toEqual([{ id: BOB }]);
    expect((await bob.from('profiles').delete().eq('id', BOB).select()).data).toEqual([]);
    const { data: seen } = await alice.from('profiles').select('id').order('id');
    expect(seen).toEqual([{ id: ALICE }]);
    expect((await bob.from('profiles').select('id').order('id')).data).toHaveLength(2);
  });

  it('shows who has not signed in what is everyone’s, and answers 401 to the rest', async () => {
    const nobody = client();
    expect((await nobody.from('profiles').select('name')).data).toEqual([{ name: 'Alice' }]);
    const insert = await nobody.from('profiles').insert({ id: ALICE, name: 'x' });
    expect([insert.status, insert.error?.code]).toEqual([401, '42501']);
    const read = await nobody.from('internal').select();
    expect([read.status, read.error]).toEqual([
      401,
      { code: '42501', message: 'permission denied for table internal', details: null, hint: null },
    ]);
    expect((await client(token('authenticated', ALICE)).from('internal').select()).status).toBe(403);
    expect((await nobody.from('open_to_all').select()).data).toEqual([]);
  });

  it('lets the service key, and a token of its role, past every policy', async () => {
    for (const db of [client(undefined, SERVICE), client(token('service_role'))]) {
      expect((await db.from('profiles').select('id')).data).toHaveLength(2);
      expect((await db.from('internal').select()).data).toEqual([]);
    }
  });

  it('asks the grants first where the project says so, and the policies all the same', async () => {
    const grant: Grant = { role: 'authenticated', table: 'profiles', actions: ['select'] };
    use({ grants: [grant] });
    expect((await client().from('profiles').select()).error?.code).toBe('MAG_FORBIDDEN');
    expect((await client(token('authenticated', ALICE)).from('profiles').select('id')).data).toEqual([
      { id: ALICE },
    ]);
    expect((await client(token('authenticated', ALICE)).from('internal').select()).error?.code).toBe(
      'MAG_FORBIDDEN',
    );
    use({ grants: [], access: 'policies' });
  });

  it('is refused, not served without policies, where the server does not let requests have roles', async () => {
    const { project } = board;
    if (project.connection.engine !== 'postgres') throw new Error('not PostgreSQL');
    board.project = { ...project, connection: { ...project.connection, requestRoles: [] } };
    const status = async (apikey: string) =>
      (await board.get(`/p/${REF}/rest/v1/profiles`, { apikey })).status;
    expect([await status(ANON), await status(SERVICE)]).toEqual([503, 200]);
    board.project = project;
  });
});

describe('a token that does not hold', () => {
  it('is a 401 that says why, as PostgREST says it', async () => {
    const signer = { masterKey, ref: REF, version: 1, url, now: Date.now() - 7_200_000 };
    const old = mintToken(signer, { role: 'authenticated' }).token;
    const foreign = mintToken({ ...signer, masterKey: Buffer.alloc(32, 8) }, { role: 'service_role' }).token;
    for (const [bearer, code, message] of [
      [old, 'PGRST303', 'JWT expired'],
      [foreign, 'PGRST301', 'No suitable key or wrong key type'],
      ['eyJhbGciOiJIUzI1NiJ9.e30', 'PGRST301', 'Expected 3 parts in JWT; got 2'],
    ] as const) {
      const headers = { apikey: ANON, authorization: `Bearer ${bearer}` };
      for (const reply of [
        await board.get(`/p/${REF}/rest/v1/profiles`, headers),
        await board.call('POST', `/p/${REF}/rest/v1/profiles`, { name: 'x' }, headers),
        await board.call('POST', `/p/${REF}/sql/v1`, { query: 'select 1' }, headers),
      ]) {
        expect(reply.status).toBe(401);
        expect(await reply.json()).toMatchObject({ code, message, hint: null });
        expect(reply.headers.get('www-authenticate')).toBe(
          `Bearer error="invalid_token", error_description="${message}"`,
        );
      }
    }
  });

  it('gives native SQL to a service token alone', async () => {
    const sql = (bearer: string) =>
      board.call(
        'POST',
        `/p/${REF}/sql/v1`,
        { query: 'select 1 as one' },
        { apikey: ANON, authorization: `Bearer ${bearer}` },
      );
    expect((await sql(token('authenticated', ALICE))).status).toBe(403);
    expect((await sql(token('service_role'))).status).toBe(200);
  });

  it('is checked with keys that anybody may fetch, without a key', async () => {
    const reply = await board.get(`/p/${REF}/auth/v1/.well-known/jwks.json`);
    expect(reply.headers.get('access-control-allow-origin')).toBe('*');
    const { keys } = (await reply.json()) as { keys: object[] };
    expect(keys).toEqual([expect.objectContaining({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' })]);
    expect(keys[0]).not.toHaveProperty('d');
    expect((await board.get('/p/nosuchproject000/auth/v1/.well-known/jwks.json')).status).toBe(404);
  });
});
