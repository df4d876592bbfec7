import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeBoardFile } from '../../src/actors/bios/board-file.ts';
import { openDataFolder } from '../../src/actors/bios/data-folder.ts';
import { main } from '../../src/cli/main.ts';
import { errorBody, isPublicError } from '../../src/errors.ts';
import type { ActorNode } from '../../src/protocol/actor-node.ts';
import type { TokenRequest } from '../../src/protocol/tokens.ts';
import { testCatalogue } from '../support/catalogue.ts';

const KEY = 'the-admin-key';
const folder = mkdtempSync(join(tmpdir(), 'mag-cli-'));
const { catalogue } = testCatalogue(folder);

const leaf = (path: string, rest: Partial<ActorNode> = {}): ActorNode => ({
  path,
  name: path.split('/').at(-1) ?? path,
  kind: 'component',
  state: 'running',
  status: 'running',
  restarts: 0,
  mailbox: { depth: 0, capacity: 1024, dropped: 0 },
  placement: { thread: 'main', process: 1, node: 'local' },
  since: '2026-11-23T00:00:00.000Z',
  lastError: null,
  handled: 0,
  incarnation: 1,
  children: [],
  ...rest,
});

const TREE = leaf('board', {
  kind: 'supervisor',
  children: [
    leaf('board/edges', {
      kind: 'supervisor',
      children: [leaf('board/edges/edge-1', { kind: 'worker', restarts: 2 })],
    }),
    leaf('board/feed', { status: 'failed', state: 'failed', lastError: 'slot lost' }),
  ],
});

const STATUS = {
  status: 'ready',
  stage: 'ready',
  components: [{ name: 'gate', stage: 'control_plane', status: 'healthy', optional: false, detail: null }],
};

/** What was posted to an actor, newest last. */
const posted: { path: string; body: unknown }[] = [];

async function bodyOf(request: IncomingMessage): Promise<Record<string, string>> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? {} : JSON.parse(text);
}

/** The admin API's routes over a real catalogue, with a tree that does not change. */
async function answer(request: IncomingMessage): Promise<unknown> {
  const path = request.url ?? '';
  const body = await bodyOf(request);
  if (path === '/readyz') return STATUS;
  if (path.endsWith('/sql/v1')) {
    return {
      rows: [{ id: 1, name: 'a\u001b[2Jb' }],
      fields: [{ name: 'id' }, { name: 'name' }],
      rowCount: 1,
      command: 'SELECT',
    };
  }
  if (request.headers.authorization !== `Bearer ${KEY}`) return null;
  if (path === '/admin/v1/actors') return TREE;
  if (path.startsWith('/admin/v1/actors/')) return void posted.push({ path, body });
  const [ref, keys, rotate] = path.slice('/admin/v1/projects/'.length).split('/');
  if (!ref && request.method === 'POST')
    return catalogue.create(body.name ?? '', body.engine as 'sqlite', 'cli');
  if (!ref) return catalogue.list();
  if (request.method === 'DELETE') return catalogue.remove(ref, 'cli');
  if (rotate === 'rotate') return catalogue.rotate(ref, 'cli');
  // Read out of JSON, held to its schema by the gate that stands here no more.
  if (keys === 'tokens') return catalogue.token(ref, body as unknown as TokenRequest, 'cli');
  return keys === 'keys' ? catalogue.keys(ref, 'cli') : catalogue.get(ref);
}

const server = createServer((request, response) => {
  answer(request).then(
    (value) => {
      const refused = value === null;
      response.statusCode = refused ? 401 : 200;
      response.end(
        JSON.stringify(
          refused
            ? {
                code: 'MAG_ADMIN_KEY_INVALID',
                message: 'The admin key is wrong',
                details: null,
                hint: 'Look.',
              }
            : (value ?? {}),
        ),
      );
    },
    (error: unknown) => {
      response.statusCode = isPublicError(error) ? error.status : 500;
      response.end(
        JSON.stringify(isPublicError(error) ? errorBody(error) : { code: 'X', message: String(error) }),
      );
    },
  );
});
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  url = `http://127.0.0.1:${port}`;
  openDataFolder(folder);
  writeBoardFile(folder, { url, host: '127.0.0.1', port, pid: process.pid, startedAt: '' });
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  catalogue.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function mag(
  args: readonly string[],
  env: Record<string, string> = { MAG_DATA_DIR: folder, MAG_ADMIN_KEY: KEY },
): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await main(args, {
    env,
    cwd: folder,
    interactive: false,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

describe('mag', () => {
  it('finds the running board by its data folder, by MAG_URL and by --url', async () => {
    expect(await mag(['status'])).toMatchObject({ code: 0, err: '' });
    expect((await mag(['status'], { MAG_URL: url })).out).toContain(`${url} is ready`);
    expect((await mag(['status', '--url', `${url}/`], {})).code).toBe(0);
  });

  it('says in one sentence that no board, or no key, was found, and exits 2', async () => {
    const nothing = await mag(['project', 'ls'], { MAG_DATA_DIR: join(folder, 'nowhere') });
    expect(nothing).toMatchObject({ code: 2, out: '' });
    expect(nothing.err).toMatch(/^mag: No running board was found at .*nowhere\n/);
    const gone = await mag(['status', '--url', 'http://127.0.0.1:1'], {});
    expect(gone).toMatchObject({ code: 2, err: expect.stringContaining('http://127.0.0.1:1') });
    const keyless = await mag(['project', 'ls'], { MAG_DATA_DIR: folder });
    expect(keyless).toMatchObject({
      code: 2,
      err: expect.stringContaining('set MAG_ADMIN_KEY or give --key'),
    });
  });

  it('passes on what the board refuses, and exits 1', async () => {
    const wrong = await mag(['project', 'ls', '--key', 'wrong']);
    expect(wrong).toEqual({ code: 1, out: '', err: 'mag: The admin key is wrong\n  Look.\n' });
    const json = await mag(['project', 'rm', 'nosuchproject000', '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.err)).toMatchObject({ code: 'MAG_PROJECT_NOT_FOUND' });
  });

  it.each([
    [[], 'COMMAND'],
    [['stat'], 'did you mean start?'],
    [['status', 'extra'], 'extra is one argument too many'],
    [['status', '--nope'], "Unknown option '--nope'"],
    [['status', '--url', 'ftp://x'], 'is no http URL'],
    [['project'], 'create, ls, rm, keys'],
    [['project', 'create'], 'NAME is missing'],
    [['sql', 'ref'], 'the statement is missing'],
    [['sql', 'ref', 'select 1', '--params', '{}'], 'a JSON list'],
    [['actors', 'crash'], 'PATH is missing'],
    [['actors', 'kill', 'x'], 'ls, crash, restart, not kill'],
    [['toString'], 'no command toString'],
  ])('exits 2 on %j and says why', async (args, why) => {
    const { code, out, err } = await mag(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(why);
  });

  it.each(['start', 'status', 'project', 'sql', 'actors'])('%s --help says how to use it', async (name) => {
    const { code, out } = await mag([name, '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`mag ${name}`);
    expect(out).toContain('--json');
  });

  it('says its version', async () => {
    const { code, out } = await mag(['--version']);
    expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });

  it('start exits 2 on a wrong setting, naming every one', async () => {
    const { code, err } = await mag(['start', '--prot', '1'], { MAG_PORT: 'x' });
    expect(code).toBe(2);
    expect(err).toContain('Did you mean --port?');
    expect(err).toContain('Setting MAG_PORT is not valid');
  });
});

describe('mag project', () => {
  it('creates, shows, lists and deletes projects, for people and for programs', async () => {
    const made = await mag(['project', 'create', 'shop']);
    expect(made.out).toMatch(
      /^project +shop \(\w{16}\) on sqlite\nurl .*\nanon key +mag_anon_.*\nservice key +mag_service_/,
    );
    const list = JSON.parse((await mag(['project', 'ls', '--json'])).out);
    expect(list).toMatchObject([{ name: 'shop', engine: 'sqlite', status: 'ready' }]);
    expect((await mag(['project', 'ls'])).out).toContain(`${list[0].ref}  shop  sqlite  ready`);
    expect(JSON.parse((await mag(['project', 'keys', list[0].ref, '--json'])).out).keys.anon).toMatch(
      /^mag_anon_/,
    );
    const rotated = await mag(['project', 'keys', list[0].ref, '--rotate']);
    expect(rotated.out).toMatch(/anon key +mag_anon_/);
    expect(rotated.out).not.toContain(/mag_anon_\S+/.exec(made.out)?.[0]);
    expect((await mag(['project', 'rm', list[0].ref])).code).toBe(0);
    expect(JSON.parse((await mag(['project', 'ls', '--json'])).out)).toEqual([]);
    expect((await mag(['project', 'create', 'x', '--engine', 'redis'])).code).toBe(1);
  });

  it('signs tokens with the claims that are given', async () => {
    const { ref } = await catalogue.create('apps', 'sqlite', 'test');
    const claim = ['--claim', 'sub=123', '--claim', 'app={"staff":true}', '--claim', 'name=Ann'];
    const { out } = await mag(['project', 'token', ref, ...claim, '--expires', '60']);
    const payload = JSON.parse(Buffer.from(out.split('.')[1] ?? '', 'base64url').toString());
    expect(payload).toMatchObject({ role: 'authenticated', sub: '123', app: { staff: true }, name: 'Ann' });
    expect(payload.exp - payload.iat).toBe(60);
    const json = await mag(['project', 'token', ref, '--role', 'anon', '--algorithm', 'HS256', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({ role: 'anon', algorithm: 'HS256' });
    expect((await mag(['project', 'token', ref, '--claim', 'nothing'])).code).toBe(2);
  });
});

describe('mag sql', () => {
  it('prints a table without control characters, or the reply as JSON', async () => {
    const { ref } = await catalogue.create('sql', 'sqlite', 'test');
    const human = await mag(['sql', ref, 'select 1']);
    expect(human).toEqual({ code: 0, err: '', out: 'id  name\n──  ──────\n 1  a [2Jb\nSELECT 1\n' });
    expect(JSON.parse((await mag(['sql', ref, 'select 1', '--json'])).out).rows).toHaveLength(1);
  });
});

describe('mag actors', () => {
  it('draws the tree', async () => {
    expect((await mag(['actors', 'ls'])).out).toBe(
      [
        '● board  supervisor · running',
        '├─ ● edges  supervisor · running',
        '│  └─ ● edge-1  worker · running · 2 restarts',
        '└─ ✗ feed  component · failed · slot lost',
        '',
      ].join('\n'),
    );
    expect(JSON.parse((await mag(['actors', 'ls', '--json'])).out)).toEqual(TREE);
  });

  it('crashes and restarts an actor by its path, with a reason', async () => {
    expect((await mag(['actors', 'crash', 'board/feed', '--reason', 'a drill'])).out).toBe(
      'board/feed crashed\n',
    );
    expect(JSON.parse((await mag(['actors', 'restart', 'board/a b', '--json'])).out)).toEqual({
      path: 'board/a b',
      restarted: true,
    });
    expect(posted).toEqual([
      { path: '/admin/v1/actors/board/feed/crash', body: { reason: 'a drill' } },
      { path: '/admin/v1/actors/board/a%20b/restart', body: { reason: 'asked for at the command line' } },
    ]);
  });
});
