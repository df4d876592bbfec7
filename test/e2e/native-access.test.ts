import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import type { Credential, IssuedCredential } from '../../src/protocol/credentials.ts';
import { ADMIN_KEY, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard;
let project: NewProject;
let other: NewProject;
const open: Client[] = [];

beforeAll(async () => {
  board = await startTestBoard();
  project = await board.createProject('reports', 'postgres');
  other = await board.createProject('other', 'postgres');
  await board.sql(
    project,
    'create table sales (id int primary key, amount int); insert into sales values (1, 10)',
  );
  await board.sql(
    project,
    'create schema deep; create table deep.facts (n int); insert into deep.facts values (7)',
  );
  await board.sql(
    project,
    'create table hidden (n int); alter table hidden enable row level security; insert into hidden values (1)',
  );
});
afterAll(() => board.stop());
afterEach(async () => {
  for (const client of open.splice(0)) await client.end().catch(() => {}); // some were cut off
});

const path = (ref: string, rest = ''): string => `/admin/v1/projects/${ref}/credentials${rest}`;

async function make(mode: 'read' | 'write', name = 'a tool'): Promise<IssuedCredential> {
  const { status, body } = await board.admin<IssuedCredential>('POST', path(project.ref), { name, mode });
  expect(status).toBe(201);
  return body;
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {}); // its end is what a test waits for
  await client.connect();
  open.push(client);
  return client;
}

const code = (query: Promise<unknown>): Promise<unknown> =>
  query.then(
    () => 'done',
    (error: { readonly code?: string }) => error.code,
  );

describe('a credential for tools beside the board, on PostgreSQL', () => {
  it('reads everything of its project, also what is made later, and writes nothing', async () => {
    const { url } = await make('read');
    const client = await connect(url);
    expect((await client.query('select amount from sales')).rows).toEqual([{ amount: 10 }]);
    expect((await client.query('select n from deep.facts')).rows).toEqual([{ n: 7 }]);
    // A policy hides rows from an app's users, not from who counts them.
    expect((await client.query('select n from hidden')).rows).toEqual([{ n: 1 }]);
    await board.sql(project, 'create table later (n int); insert into later values (3)');
    expect((await client.query('select n from later')).rows).toEqual([{ n: 3 }]);
    expect(await code(client.query('insert into sales values (2, 20)'))).toBe('25006');
    await client.query('set default_transaction_read_only = off');
    expect(await code(client.query('insert into sales values (2, 20)'))).toBe('42501');
    expect(await code(client.query('create table mine (n int)'))).toBe('42501');
    expect(await code(client.query('set role service_role'))).toBe('42501');
  });

  it('may write as the project itself, where it was made for that', async () => {
    const { url } = await make('write');
    const client = await connect(url);
    await client.query(
      'insert into sales values (5, 50); create table made (n int); insert into made values (1)',
    );
    // What it made is the project's.
    expect(
      (await board.sql(project, 'alter table made add column m int; select n from made')).body.rows,
    ).toEqual([{ n: 1 }]);
    expect(await code(client.query('create role x'))).toBe('42501');
    expect(await code(client.query("copy sales to program 'id'"))).toBe('42501');
    expect(await code(client.query('select * from _mag.idempotency'))).toMatch(/^42(501|P01)$/);
  });

  it('reaches no other database', async () => {
    for (const mode of ['read', 'write'] as const) {
      const { url, database } = await make(mode);
      for (const name of [database.replace(project.ref, other.ref), 'postgres']) {
        const elsewhere = new URL(url);
        elsewhere.pathname = `/${name}`;
        expect(await code(connect(String(elsewhere)))).toBe('42501');
      }
    }
  });

  it('is shown once, and listed without its password', async () => {
    const { id, password } = await make('read', 'the list');
    const { body } = await board.admin<readonly Credential[]>('GET', path(project.ref));
    expect(body.find((credential) => credential.id === id)).toMatchObject({
      name: 'the list',
      mode: 'read',
      rotatedAt: null,
    });
    expect(JSON.stringify(body)).not.toContain(password);
    expect(board.output()).not.toContain(password);
  });

  it('that is rotated or revoked cuts off who is connected with it', async () => {
    const first = await make('write');
    const client = await connect(first.url);
    const ended = new Promise((resolve) => client.once('end', resolve));
    const { body: second } = await board.admin<IssuedCredential>(
      'POST',
      path(project.ref, `/${first.id}/rotate`),
    );
    await ended;
    expect(second.password).not.toBe(first.password);
    expect(await code(connect(first.url))).toBe('28P01');
    const again = await connect(second.url);
    const gone = new Promise((resolve) => again.once('end', resolve));
    expect((await board.admin('DELETE', path(project.ref, `/${first.id}`))).status).toBe(204);
    await gone;
    expect(await code(connect(second.url))).toBe('28P01');
    expect((await board.admin('DELETE', path(project.ref, `/${first.id}`))).status).toBe(404);
  });

  it('is bounded in number, refused where there is nothing to speak to, and checked at the door', async () => {
    const plain = await board.createProject('plain', 'sqlite');
    const refused = await board.admin<{ code: string }>('POST', path(plain.ref), { name: 'x', mode: 'read' });
    expect([refused.status, refused.body.code]).toEqual([400, 'MAG_ENGINE_UNSUPPORTED']);
    const full = await board.createProject('full', 'postgres');
    for (let n = 0; n < 16; n += 1)
      expect((await board.admin('POST', path(full.ref), { name: `tool ${n}`, mode: 'read' })).status).toBe(
        201,
      );
    const more = await board.admin<{ code: string }>('POST', path(full.ref), {
      name: 'one more',
      mode: 'read',
    });
    expect([more.status, more.body.code]).toEqual([409, 'MAG_CREDENTIAL_LIMIT']);
    for (const body of [
      {},
      { name: 'x', mode: 'all' },
      { name: '', mode: 'read' },
      { name: 'x', mode: 'read', y: 1 },
    ])
      expect((await board.admin('POST', path(full.ref), body)).status).toBe(400);
    expect((await board.admin('POST', path('nowhere'), { name: 'x', mode: 'read' })).status).toBe(404);
    // It goes with its project, roles and all.
    expect((await board.admin('DELETE', `/admin/v1/projects/${full.ref}`)).status).toBe(204);
    const again = await make('write');
    const client = await connect(again.url);
    const roles = await client.query(`select rolname from pg_roles where rolname like '%${full.ref}%'`);
    expect(roles.rows).toEqual([]);
  });

  it('comes from the command line too', async () => {
    let out = '';
    const terminal = {
      ...{ env: { MAG_URL: board.url, MAG_ADMIN_KEY: ADMIN_KEY }, cwd: board.folder, interactive: false },
      out: (text: string) => {
        out += text;
      },
      err: () => {},
    };
    expect(await main(['project', 'connect', project.ref, '--name', 'psql'], terminal)).toBe(0);
    const [url = ''] = out.split('\n');
    const client = await connect(url);
    expect((await client.query('select count(*)::int from sales')).rows[0].count).toBeGreaterThan(0);
    out = '';
    await main(['project', 'credentials', project.ref, '--json'], terminal);
    const made = (JSON.parse(out) as Credential[]).find(({ name }) => name === 'psql');
    expect(await main(['project', 'disconnect', project.ref, made?.id ?? ''], terminal)).toBe(0);
    expect(await main(['project', 'disconnect', project.ref, made?.id ?? ''], terminal)).toBe(1);
  });
});

describe('a credential for tools beside the board, on MySQL', () => {
  it('reads or writes in its project alone, and is cut off when it is rotated or revoked', async () => {
    const shop = await board.createProject('shop', 'mysql');
    const neighbour = await board.createProject('neighbour', 'mysql');
    await board.sql(shop, 'create table sales (id int primary key, amount int)');
    await board.sql(shop, 'insert into sales values (1, 10)');
    const made = async (mode: string): Promise<IssuedCredential> =>
      (await board.admin<IssuedCredential>('POST', path(shop.ref), { name: 'a tool', mode })).body;
    const reading = await made('read');
    const reader = await createConnection(reading.url);
    reader.on('error', () => {}); // its end is what this waits for
    expect((await reader.query('select amount from sales'))[0]).toEqual([{ amount: 10 }]);
    await expect(reader.query('insert into sales values (2, 20)')).rejects.toMatchObject({
      code: 'ER_TABLEACCESS_DENIED_ERROR',
    });
    const [databases] = await reader.query('show databases');
    expect(JSON.stringify(databases)).not.toContain(neighbour.ref);
    const ended = new Promise((resolve) => reader.once('end', resolve).once('error', resolve));
    const rotated = await board.admin<IssuedCredential>('POST', path(shop.ref, `/${reading.id}/rotate`));
    await ended;
    await expect(createConnection(reading.url)).rejects.toMatchObject({ code: 'ER_ACCESS_DENIED_ERROR' });
    const writing = await made('write');
    const writer = await createConnection(writing.url);
    await writer.query('insert into sales values (2, 20)');
    await expect(
      writer.query(`use ${reading.database.replace(shop.ref, neighbour.ref)}`),
    ).rejects.toMatchObject({ code: 'ER_DBACCESS_DENIED_ERROR' });
    await writer.end();
    expect((await board.admin('DELETE', path(shop.ref, `/${writing.id}`))).status).toBe(204);
    await expect(createConnection(writing.url)).rejects.toMatchObject({ code: 'ER_ACCESS_DENIED_ERROR' });
    expect((await board.admin('DELETE', `/admin/v1/projects/${shop.ref}`)).status).toBe(204);
    await expect(createConnection(rotated.body.url)).rejects.toMatchObject({
      code: 'ER_ACCESS_DENIED_ERROR',
    });
  });
});
