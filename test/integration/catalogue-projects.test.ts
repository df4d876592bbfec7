import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBoardDatabase } from '../../src/actors/catalogue/board-database.ts';
import { checkSettings } from '../../src/actors/catalogue/grants.ts';
import { MIGRATIONS } from '../../src/actors/catalogue/migrations.ts';
import { principalOf } from '../../src/actors/psu/project-key-check.ts';
import { keyDigest } from '../../src/actors/psu/project-keys.ts';
import type { EngineProvider } from '../../src/actors/storage/engine.ts';
import { type TestCatalogue, testCatalogue } from '../support/catalogue.ts';
import { testFolder } from '../support/temporary-folder.ts';

function open(folder = testFolder(), options: Parameters<typeof testCatalogue>[1] = {}): TestCatalogue {
  const opened = testCatalogue(folder, options);
  onTestFinished(() => opened.catalogue.close());
  return opened;
}

const refused = (code: string) => expect.objectContaining({ code });

describe('creating a project', () => {
  it('gives it a reference, keys, a URL and a database of its own', async () => {
    const folder = testFolder();
    const { catalogue, events } = open(folder);
    const made = await catalogue.create('shop', 'sqlite', 'admin');
    expect(made).toMatchObject({ name: 'shop', engine: 'sqlite', status: 'ready', settings: { grants: [] } });
    expect(made.ref).toMatch(/^[a-z][a-z0-9]{15}$/);
    expect(made.url).toBe(`http://127.0.0.1:4600/p/${made.ref}`);
    expect(made.keys?.anon).toMatch(/^mag_anon_/);
    expect(existsSync(join(folder, 'projects', made.ref, 'data.sqlite'))).toBe(true);
    expect(events).toEqual([
      { actor: 'admin', action: 'project.create', target: made.ref, reason: null, outcome: 'ok' },
    ]);
    expect(catalogue.get(made.ref)).not.toHaveProperty('keys');
    expect((await catalogue.keys(made.ref, 'admin')).keys).toEqual(made.keys);
    expect(events.at(-1)).toMatchObject({ action: 'project.keys' });
  });

  it.each(['', ' padded', 'padded ', 'a\nb', 'x'.repeat(64), 7, null])(
    'refuses the name %j',
    async (name) => {
      const { catalogue } = open();
      // What a handler passes on is not typed any more.
      await expect(catalogue.create(name as string, 'sqlite', 'admin')).rejects.toEqual(
        refused('MAG_BAD_REQUEST'),
      );
      expect(catalogue.list()).toEqual([]);
    },
  );

  it('takes a name once, in whatever Unicode spelling', async () => {
    const { catalogue } = open();
    await catalogue.create('caf\u00e9', 'sqlite', 'admin');
    await expect(catalogue.create('cafe\u0301', 'sqlite', 'admin')).rejects.toEqual(
      refused('MAG_PROJECT_NAME_TAKEN'),
    );
    const both = await Promise.allSettled([
      catalogue.create('same', 'sqlite', 'admin'),
      catalogue.create('same', 'sqlite', 'admin'),
    ]);
    expect(both.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected']);
  });

  it('refuses an engine that does not exist, and one that is not built yet', async () => {
    const { catalogue } = open();
    await expect(catalogue.create('a', 'oracle' as 'sqlite', 'admin')).rejects.toEqual(
      refused('MAG_ENGINE_UNKNOWN'),
    );
    await expect(catalogue.create('a', 'redis', 'admin')).rejects.toEqual(refused('MAG_ENGINE_UNAVAILABLE'));
  });

  it('that fails in the engine leaves nothing behind, and its name free', async () => {
    let broken = true;
    const wrap = (provider: EngineProvider): EngineProvider => ({
      kind: 'sqlite',
      availability: () => provider.availability(),
      provision: async (ref) => {
        const connection = await provider.provision(ref);
        if (broken) throw new Error('half way');
        return connection;
      },
      drop: (ref) => provider.drop(ref),
      connect: (ref) => provider.connect(ref),
      reclaim: (live) => provider.reclaim(live),
      stop: () => provider.stop(),
    });
    const { catalogue, events, provider } = open(testFolder(), { wrap });
    await expect(catalogue.create('shop', 'sqlite', 'admin')).rejects.toThrow('half way');
    expect(catalogue.list()).toEqual([]);
    expect(await provider.reclaim(new Set())).toEqual([]);
    expect(events).toEqual([expect.objectContaining({ action: 'project.create', outcome: 'half way' })]);
    broken = false;
    expect((await catalogue.create('shop', 'sqlite', 'admin')).status).toBe('ready');
  });
});

describe('deleting a project', () => {
  it('removes its database and its row, and is a 404 from then on', async () => {
    const folder = testFolder();
    const { catalogue, events } = open(folder);
    const { ref } = await catalogue.create('shop', 'sqlite', 'admin');
    await Promise.all([catalogue.remove(ref, 'admin'), catalogue.remove(ref, 'admin')]);
    expect(existsSync(join(folder, 'projects', ref))).toBe(false);
    expect(() => catalogue.get(ref)).toThrow(refused('MAG_PROJECT_NOT_FOUND'));
    await expect(catalogue.remove(ref, 'admin')).rejects.toEqual(refused('MAG_PROJECT_NOT_FOUND'));
    expect(await catalogue.resolve(ref)).toBeNull();
    expect(events.filter((event) => event.action === 'project.delete')).toHaveLength(1);
    await catalogue.create('shop', 'sqlite', 'admin');
  });
});

describe('resolving a project', () => {
  it('gives its connection and the digests of its keys, and a version that grows with every change', async () => {
    const folder = testFolder();
    const { catalogue } = open(folder);
    const { ref, keys } = await catalogue.create('shop', 'sqlite', 'admin');
    const handle = await catalogue.resolve(ref);
    expect(handle).toMatchObject({
      ref,
      status: 'ready',
      connection: { engine: 'sqlite', file: join(folder, 'projects', ref, 'data.sqlite') },
      keyDigests: { anon: keyDigest(keys?.anon ?? ''), service: keyDigest(keys?.service ?? '') },
    });
    await catalogue.settings(ref, { grants: [] }, 'admin');
    expect((await catalogue.resolve(ref))?.version).toBeGreaterThan(handle?.version ?? 0);
    expect(await catalogue.resolve('nosuchproject000')).toBeNull();
  });

  it('tells a listener of every change, until it stops listening', async () => {
    const { catalogue } = open();
    const changed: string[] = [];
    const stop = catalogue.onChange((ref) => changed.push(ref));
    const { ref } = await catalogue.create('shop', 'sqlite', 'admin');
    await catalogue.settings(ref, { grants: [] }, 'admin');
    stop();
    await catalogue.remove(ref, 'admin');
    expect(changed).toEqual([ref, ref]);
  });
});

describe('a token of a project', () => {
  it('is verified with what serves the project, is audited without itself, and ends with a rotation', async () => {
    const { catalogue, events } = open();
    const { ref } = await catalogue.create('shop', 'sqlite', 'admin');
    const minted = await catalogue.token(
      ref,
      { role: 'authenticated', claims: { sub: 'u1' }, expiresIn: 60 },
      'cli',
    );
    expect(Date.parse(minted.expiresAt)).toBeGreaterThan(Date.now() + 50_000);
    const who = async () => principalOf((await catalogue.resolve(ref))!, undefined, minted.token, Date.now());
    expect(await who()).toMatchObject({ role: 'authenticated', claims: { sub: 'u1' } });
    const outcome = `authenticated until ${minted.expiresAt}`;
    expect(events.at(-1)).toMatchObject({ actor: 'cli', action: 'project.token', target: ref, outcome });
    expect(JSON.stringify(events)).not.toContain(minted.token.split('.')[2]);
    const before = await catalogue.keys(ref, 'admin');
    expect(before.jwtSecret).toMatch(/^mag_jwt_[\w-]{43}$/);
    expect((await catalogue.rotate(ref, 'admin')).jwtSecret).not.toBe(before.jwtSecret);
    await expect(who()).rejects.toEqual(refused('PGRST301'));
    expect(catalogue.get(ref)).not.toHaveProperty('jwtSecret');
    await expect(catalogue.token('nosuchproject000', { role: 'anon' }, 'cli')).rejects.toEqual(
      refused('MAG_PROJECT_NOT_FOUND'),
    );
  });
});

describe('project settings', () => {
  const grant = { role: 'anon', table: 'todo', actions: ['select', 'select'], using: 'owner.eq.{sub}' };

  it('are kept as they were checked', async () => {
    const folder = testFolder();
    const first = open(folder);
    const { ref } = await first.catalogue.create('shop', 'sqlite', 'admin');
    const view = await first.catalogue.settings(ref, { grants: [grant] }, 'admin');
    expect(view.settings).toEqual({ grants: [{ ...grant, actions: ['select'] }] });
    first.catalogue.close();
    expect(open(folder).catalogue.get(ref).settings).toEqual(view.settings);
  });

  it('may be changed one by one, and taken away by null', async () => {
    const { catalogue } = open();
    const { ref } = await catalogue.create('shop', 'sqlite', 'admin');
    const kept = { ...grant, actions: ['select'] };
    const change = async (settings: unknown): Promise<unknown> =>
      (await catalogue.settings(ref, settings, 'admin', true)).settings;
    expect(await change({ maxRows: 10 })).toEqual({ grants: [], maxRows: 10 });
    expect(await change({ grants: [kept] })).toEqual({ grants: [kept], maxRows: 10 });
    expect(await change({ aggregates: true })).toEqual({ grants: [kept], maxRows: 10, aggregates: true });
    expect(await change({ maxRows: null, aggregates: false })).toEqual({ grants: [kept] });
    await expect(change({ maxRows: 0 })).rejects.toThrow('settings.maxRows');
    await expect(change([])).rejects.toThrow('settings must be an object');
    expect(await change({ grants: null })).toEqual({ grants: [] });
  });

  it('may expose schemas of PostgreSQL, look in others, bound lists, allow aggregates and show plans', () => {
    const check = (settings: object): unknown =>
      checkSettings({ grants: [], ...settings }, 'postgres', () => {});
    const given = { schemas: ['shop', 'public', 'shop'], aggregates: true, plans: true, serverTiming: true };
    expect(check(given)).toEqual({ ...given, grants: [], schemas: ['shop', 'public'] });
    expect(check({ schemas: ['public'] })).toEqual({ grants: [] });
    expect(check({ aggregates: false, plans: false, schemas: [] })).toEqual({ grants: [] });
    expect(check({ preRequest: 'api.look' })).toEqual({ grants: [], preRequest: 'api.look' });
    const read = { extraSearchPath: ['tools', 'tools'], maxRows: 100 };
    expect(check(read)).toEqual({ grants: [], extraSearchPath: ['tools'], maxRows: 100 });
    expect(check({ extraSearchPath: ['public'] })).toEqual({ grants: [] });
    expect(check({ extraSearchPath: [] })).toEqual({ grants: [], extraSearchPath: [] });
  });

  it.each([
    [null, 'settings must be an object'],
    [{ grants: {} }, 'settings.grants must be a list'],
    [{ grants: [], more: 1 }, 'unknown field more'],
    [{ grants: [{ ...grant, role: 'service_role' }] }, 'settings.grants[0].role'],
    [{ grants: [grant, { ...grant, table: '' }] }, 'settings.grants[1].table'],
    [{ grants: [{ ...grant, actions: [] }] }, 'settings.grants[0].actions'],
    [{ grants: [{ ...grant, actions: ['drop'] }] }, 'settings.grants[0].actions'],
    [{ grants: [{ ...grant, using: 'nonsense' }] }, 'The filter nonsense is not valid'],
    [{ grants: [{ ...grant, using: 7 }] }, 'settings.grants[0].using'],
    [{ grants: [], access: 'everyone' }, 'settings.access must be grants or policies'],
    [{ grants: [], access: 'policies' }, 'The engine sqlite cannot decide access by row level security'],
    [{ grants: [], schemas: 'shop' }, 'settings.schemas must be a list of at most 16 names'],
    [{ grants: [], schemas: [7] }, 'settings.schemas must hold names'],
    [{ grants: [], schemas: ['_mag'] }, 'settings.schemas must not hold _mag'],
    [{ grants: [], schemas: ['pg_catalog'] }, 'settings.schemas must not hold pg_catalog'],
    [{ grants: [], schemas: ['shop'] }, 'The engine sqlite cannot expose schemas'],
    [{ grants: [], extraSearchPath: ['pg_temp'] }, 'settings.extraSearchPath must not hold pg_temp'],
    [{ grants: [], extraSearchPath: [] }, 'The engine sqlite cannot have a search path'],
    [{ grants: [], maxRows: 0 }, 'settings.maxRows must be a whole number from 1 to 100000'],
    [{ grants: [], aggregates: 1 }, 'settings.aggregates must be true or false'],
    [{ grants: [], plans: 'yes' }, 'settings.plans must be true or false'],
    [{ grants: [], plans: true }, 'The engine sqlite cannot show plans'],
    [{ grants: [], preRequest: '' }, 'settings.preRequest must be the name of a function'],
    [{ grants: [], preRequest: 'a.' }, 'settings.preRequest must be the name of a function'],
    [{ grants: [], preRequest: 'look' }, 'The engine sqlite cannot run a function before a request'],
    [{ grants: Array.from({ length: 257 }, () => grant) }, 'at most 256'],
  ])('refuse %j', async (settings, problem) => {
    const { catalogue } = open();
    const { ref } = await catalogue.create('shop', 'sqlite', 'admin');
    await expect(catalogue.settings(ref, settings, 'admin')).rejects.toThrow(problem);
    expect(catalogue.get(ref).settings).toEqual({ grants: [] });
  });
});

describe('the demo project', () => {
  it('is made once, shown with its keys, and not made again once it was deleted', async () => {
    const folder = testFolder();
    const first = open(folder);
    const demo = await first.catalogue.ensureDemo();
    expect(demo).toMatchObject({ name: 'demo', engine: 'sqlite', keys: { anon: expect.any(String) } });
    expect(await first.catalogue.ensureDemo()).toEqual(demo);
    first.catalogue.close();
    const second = open(folder);
    expect(await second.catalogue.ensureDemo()).toEqual(demo);
    await second.catalogue.remove(demo?.ref ?? '', 'admin');
    expect(await second.catalogue.ensureDemo()).toBeNull();
  });
});

describe('engines', () => {
  it('are all listed, those that are not built yet with the reason', async () => {
    const { catalogue } = open(testFolder(), { configured: new Set(['mysql']) });
    const engines = await catalogue.engines();
    expect(engines.map(({ engine, available }) => [engine, available])).toEqual([
      ['sqlite', true],
      ['postgres', false],
      ['mysql', false],
      ['mongodb', false],
      ['redis', false],
    ]);
    expect(engines[2]?.why).toBe('not in this version yet; its URL in the configuration is not used');
    expect(engines[3]?.why).toBe('not in this version yet');
  });
});

describe("the board's database", () => {
  const AT = '2026-11-23T00:00:00.000Z';

  it('is private to its owner and durable at every commit', () => {
    const file = join(testFolder(), 'board.sqlite');
    const database = openBoardDatabase(file, AT);
    onTestFinished(() => database.close());
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600);
    expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
  });

  it('refuses a file that a newer version wrote, or whose migration had another text', () => {
    const file = join(testFolder(), 'board.sqlite');
    const next = { number: MIGRATIONS.length + 1, name: 'next', sql: 'CREATE TABLE next (a TEXT) STRICT' };
    openBoardDatabase(file, AT, [...MIGRATIONS, next]).close();
    expect(() => openBoardDatabase(file, AT)).toThrow(
      new RegExp(
        `written by a newer version \\(migration ${next.number}, this one knows ${MIGRATIONS.length}\\)`,
      ),
    );
    const other = { ...next, sql: 'CREATE TABLE other (a TEXT) STRICT' };
    expect(() => openBoardDatabase(file, AT, [...MIGRATIONS, other])).toThrow(
      new RegExp(`migration ${next.number} \\(next\\) was applied in another form`),
    );
  });

  it('undoes a migration that fails half way', () => {
    const file = join(testFolder(), 'board.sqlite');
    openBoardDatabase(file, AT).close();
    const broken = {
      number: MIGRATIONS.length + 1,
      name: 'broken',
      sql: 'CREATE TABLE half (a TEXT); SELECT nonsense',
    };
    expect(() => openBoardDatabase(file, AT, [...MIGRATIONS, broken])).toThrow(
      expect.objectContaining({ code: 'MAG_CATALOGUE_UNUSABLE' }),
    );
    const database = new DatabaseSync(file);
    onTestFinished(() => database.close());
    expect(database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'half'").get()).toEqual({
      n: 0,
    });
  });

  it('that is no database is refused', () => {
    const folder = testFolder();
    expect(() => openBoardDatabase(folder, AT)).toThrow(
      expect.objectContaining({ code: 'MAG_CATALOGUE_UNUSABLE' }),
    );
  });
});
