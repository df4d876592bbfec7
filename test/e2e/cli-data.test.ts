import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import type { EngineKind } from '../../src/protocol/project.ts';
import { ADMIN_KEY, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { service } from '../support/services/index.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const ENGINES: readonly EngineKind[] = [
  ...(['sqlite', 'postgres'] as const),
  ...(service('mariadb').available ? (['mysql'] as const) : []),
];

let board: TestBoard;
const projects = {} as Record<EngineKind, NewProject>; // Those of ENGINES are made before all tests.
let folder: string;

/** Runs `mag` in the test's folder; gives what it printed, whichever way, and its exit code. */
async function mag(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = {
    env: { MAG_URL: board.url, MAG_ADMIN_KEY: ADMIN_KEY },
    cwd: folder,
    interactive: false,
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  };
  return { code: await main(args, terminal), out, err };
}

const write = (name: string, text: string): void => {
  mkdirSync(join(folder, 'migrations'), { recursive: true });
  writeFileSync(join(folder, name), text);
};

beforeAll(async () => {
  board = await startTestBoard();
  for (const engine of ENGINES) projects[engine] = await board.createProject(engine, engine);
});
afterAll(async () => {
  await board.stop();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mag-data-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.each(ENGINES)('migrations on %s', (engine) => {
  const states = async (): Promise<string[]> => {
    const { out } = await mag('migrate', 'status', projects[engine].ref, '--json');
    return (JSON.parse(out) as { version: string; state: string }[]).map(
      ({ version, state }) => `${version} ${state}`,
    );
  };

  beforeEach(async () => {
    for (const table of ['mag_migrations', 'pets', 'owners'])
      await board.sql(projects[engine], `drop table if exists ${table}`);
    write('migrations/0001_owners.sql', 'create table owners (id integer primary key, name text);');
    write(
      'migrations/0002_pets.sql',
      'create table pets (id integer primary key, owner_id integer);\ninsert into owners values (1, \'Ada; "x"\');',
    );
  });

  it('are applied once, in order, and remembered', async () => {
    expect(await states()).toEqual(['0001 pending', '0002 pending']);
    expect((await mag('migrate', 'up', projects[engine].ref)).out).toBe(
      'applied 0001_owners\napplied 0002_pets\n',
    );
    expect((await mag('migrate', 'up', projects[engine].ref)).out).toBe('nothing to apply\n');
    expect(await states()).toEqual(['0001 applied', '0002 applied']);
    const { body } = await board.sql(projects[engine], 'select name from owners');
    expect(body.rows).toEqual([{ name: 'Ada; "x"' }]);
  });

  it('that fail leave nothing of themselves behind, and can be mended', async () => {
    write(
      'migrations/0003_bad.sql',
      "insert into owners values (2, 'Bob');\ninsert into nowhere values (1);",
    );
    const { code, err, out } = await mag('migrate', 'up', projects[engine].ref);
    expect([code, out]).toEqual([1, 'applied 0001_owners\napplied 0002_pets\n']);
    expect(err).toContain('nowhere');
    // MySQL's DDL commits by itself: there somebody has to look at what a migration did.
    const left = engine === 'mysql' ? '0003 begun' : '0003 pending';
    expect(await states()).toEqual(['0001 applied', '0002 applied', left]);
    expect((await board.sql(projects[engine], 'select id from owners')).body.rows).toHaveLength(1);
    if (engine === 'mysql')
      await board.sql(projects[engine], "delete from mag_migrations where version = '0003'");
    write('migrations/0003_bad.sql', "insert into owners values (2, 'Bob');");
    expect((await mag('migrate', 'up', projects[engine].ref)).code).toBe(0);
  });

  it('that several run at a time are applied by one of them', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => mag('migrate', 'up', projects[engine].ref)));
    const applied = runs.flatMap(({ out }) => out.match(/applied \d+/g) ?? []);
    expect(applied.sort()).toEqual(['applied 0001', 'applied 0002']);
    for (const { code, err } of runs) if (code !== 0) expect(err).toContain('another run');
    expect(await states()).toEqual(['0001 applied', '0002 applied']);
  });

  it('that changed, are gone, or came too late are refused by name', async () => {
    await mag('migrate', 'up', projects[engine].ref);
    appendFileSync(join(folder, 'migrations/0001_owners.sql'), '\n-- changed');
    expect(await states()).toEqual(['0001 changed', '0002 applied']);
    expect((await mag('migrate', 'up', projects[engine].ref)).err).toContain(
      '0001_owners cannot be applied: its file has changed',
    );
    rmSync(join(folder, 'migrations/0001_owners.sql'));
    expect(await states()).toEqual(['0001 missing', '0002 applied']);
    write('migrations/0001_owners.sql', 'create table owners (id integer primary key, name text);');
    write('migrations/00015_between.sql', 'select 1;');
    expect((await mag('migrate', 'up', projects[engine].ref)).code).toBe(0);
    write('migrations/0003_late.sql', 'select 1;');
    expect((await mag('migrate', 'up', projects[engine].ref)).err).toContain(
      '0003_late cannot be applied: it was not there when',
    );
  });

  it('that nobody has written yet is not applied', async () => {
    write('migrations/0003_later.sql', '-- later\n/* to be */ ;\n');
    const { code, err, out } = await mag('migrate', 'up', projects[engine].ref);
    expect([code, out]).toEqual([1, 'applied 0001_owners\napplied 0002_pets\n']);
    expect(err).toContain('0003_later cannot be applied: its file holds no statement yet');
    expect(await states()).toEqual(['0001 applied', '0002 applied', '0003 pending']);
  });

  it('are remembered where neither a grant on everything nor a policy reaches, and in no types', async () => {
    const { ref, url, keys } = projects[engine];
    await mag('migrate', 'up', ref);
    expect((await mag('types', ref)).out).not.toContain('mag_migrations');
    const settings = (body: object): Promise<Response> =>
      fetch(`${board.url}/admin/v1/projects/${ref}/settings`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const statuses = async (): Promise<number[]> => {
      const read = await fetch(`${url}/rest/v1/mag_migrations`, { headers: { apikey: keys.anon } });
      const gone = await fetch(`${url}/rest/v1/mag_migrations`, {
        method: 'DELETE',
        headers: { apikey: keys.anon },
      });
      return [read.status, gone.status];
    };
    await settings({ grants: [{ role: 'anon', table: '*', actions: ['select', 'delete'] }] });
    const owners = await fetch(`${url}/rest/v1/owners`, { headers: { apikey: keys.anon } });
    expect(owners.status).toBe(200);
    expect(await statuses()).toEqual([403, 403]);
    if (engine === 'postgres') {
      await settings({ access: 'policies' });
      expect(await statuses()).toEqual([401, 401]);
      // As a table is that was made before it was closed.
      await board.sql(projects[engine], 'grant all on mag_migrations to anon, authenticated');
      await Promise.all([states(), states(), states()]);
      expect(await statuses()).toEqual([401, 401]);
    }
    expect(await states()).toEqual(['0001 applied', '0002 applied']);
    expect((await settings({ grants: null, access: null })).status).toBe(200);
  });

  it('may run outside a transaction, and say so where they were cut off', async () => {
    write(
      'migrations/0003_alone.sql',
      "-- no transaction\ninsert into owners values (7, 'Eve'); insert into nowhere values (1)",
    );
    expect((await mag('migrate', 'up', projects[engine].ref)).code).toBe(1);
    expect(await states()).toEqual(['0001 applied', '0002 applied', '0003 begun']);
    expect((await mag('migrate', 'up', projects[engine].ref)).err).toContain('cut off half way');
  });
});

describe('a new migration', () => {
  it('is numbered behind the last one', async () => {
    expect((await mag('migrate', 'new', 'Add  users!')).out).toBe('migrations/0001_add_users.sql\n');
    expect((await mag('migrate', 'new', 'and more')).out).toBe('migrations/0002_and_more.sql\n');
    write('migrations/notes.sql', '');
    expect((await mag('migrate', 'new', 'third')).err).toContain('notes.sql is not named');
    expect((await mag('migrate', 'status', 'x', '--dir', 'nowhere')).code).toBe(2);
  });
});

describe.each(ENGINES)('export and import on %s', (engine) => {
  const ROWS = [
    { id: 1, name: 'plain', score: 1.5, done: true },
    { id: 2, name: 'with "quotes", commas\nand lines', score: null, done: false },
    { id: 3, name: '', score: -2, done: null },
    { id: 4, name: null, score: 0, done: true },
    { id: 5, name: '😀 ñ', score: 12345.678, done: false },
  ];
  const read = async (table: string): Promise<unknown> =>
    (await board.sql(projects[engine], `select id, name, score, done from ${table} order by id`)).body.rows;

  beforeAll(async () => {
    for (const table of ['source', 'target'])
      await board.sql(
        projects[engine],
        `create table ${table} (id integer primary key, name text, score double precision, done boolean default true)`,
      );
    const { url, keys } = projects[engine];
    await fetch(`${url}/rest/v1/source`, {
      method: 'POST',
      headers: { apikey: keys.service, 'content-type': 'application/json' },
      body: JSON.stringify(ROWS),
    });
  });
  beforeEach(() => board.sql(projects[engine], 'delete from target'));

  it.each(['csv', 'jsonl'])('carry every row over as it is, as %s', async (format) => {
    const { ref } = projects[engine];
    const file = `rows.${format}`;
    expect((await mag('export', ref, 'source', file, '--batch', '2')).out).toBe(
      `5 rows written to ${file}\n`,
    );
    expect((await mag('import', ref, 'target', file, '--batch', '2')).out).toBe(`5 rows read from ${file}\n`);
    expect(await read('target')).toEqual(ROWS);
    expect((await mag('import', ref, 'target', file)).err).toContain('duplicate');
    expect((await mag('import', ref, 'target', file, '--upsert=')).code).toBe(0);
    expect(await read('target')).toEqual(ROWS);
  });

  it('keep JSON what it is, a text in it too', async () => {
    const { ref } = projects[engine];
    await board.sql(projects[engine], 'drop table if exists shapes');
    await board.sql(
      projects[engine],
      `create table shapes (id integer primary key, j ${engine === 'postgres' ? 'jsonb' : 'json'})`,
    );
    const rows = [{ a: 1 }, [1, 'NULL'], 'a text', '5', 5, true, null].map((j, id) =>
      JSON.stringify({ id, j }),
    );
    write('shapes.jsonl', `${rows.join('\n')}\n`);
    expect((await mag('import', ref, 'shapes', 'shapes.jsonl')).code).toBe(0);
    const { url, keys } = projects[engine];
    const read = async (): Promise<string> =>
      (await fetch(`${url}/rest/v1/shapes?order=id`, { headers: { apikey: keys.service } })).text();
    const before = await read();
    expect((await mag('export', ref, 'shapes', 'shapes.csv')).code).toBe(0);
    await board.sql(projects[engine], 'delete from shapes');
    expect((await mag('import', ref, 'shapes', 'shapes.csv')).code).toBe(0);
    expect(JSON.parse(await read())).toEqual(JSON.parse(before));
    write('bad.csv', 'id,j\n9,{open\n');
    expect((await mag('import', ref, 'shapes', 'bad.csv')).err).toContain('row 1: j is no JSON');
  });

  it('go on where an import stopped', async () => {
    const { ref } = projects[engine];
    const lines = ROWS.map((row) => JSON.stringify(row));
    lines[3] = '{"id": 4, "nothing": 1}';
    write('rows.jsonl', `${lines.join('\n')}\n`);
    const failed = await mag('import', ref, 'target', 'rows.jsonl', '--batch', '1');
    expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('nothing')]);
    expect(await read('target')).toEqual(ROWS.slice(0, 3));
    // Sent again as it was, it must not begin anew, nor forget how far it came.
    const again = await mag('import', ref, 'target', 'rows.jsonl', '--batch', '1');
    expect([again.code, again.err]).toEqual([
      2,
      expect.stringMatching(/3 rows of .*--resume goes on there.*mag-import\.json/),
    ]);
    expect((await mag('import', ref, 'target', 'rows.jsonl', '--resume')).err).toContain('Rows 4 to 4');
    const elsewhere = projects[engine === 'sqlite' ? 'postgres' : 'sqlite'].ref;
    expect((await mag('import', elsewhere, 'target', 'rows.jsonl', '--resume')).err).toContain('or project');
    write('rows.jsonl', `${ROWS.map((row) => JSON.stringify(row)).join('\n')}\n`);
    // Another file is not the rest of this one.
    expect((await mag('import', ref, 'target', 'rows.jsonl', '--resume')).err).toContain('has changed');
    await board.sql(projects[engine], 'delete from target');
    expect((await mag('import', ref, 'target', 'rows.jsonl')).code).toBe(0);
    expect((await mag('import', ref, 'target', 'rows.jsonl', '--resume')).err).toContain('nothing to resume');
    expect(await read('target')).toEqual(ROWS);
  });

  it('go on where an export stopped', async () => {
    const { ref } = projects[engine];
    await mag('export', ref, 'source', 'whole.csv');
    const whole = readFileSync(join(folder, 'whole.csv'), 'utf8');
    const bytes = Buffer.byteLength(whole.slice(0, whole.indexOf('\n1,') + 1));
    write('part.csv', `${whole.slice(0, bytes)}1,torn`);
    const names = ['id', 'name', 'score', 'done'];
    write(
      'part.csv.mag-export.json',
      JSON.stringify({ ref, table: 'source', names, rows: 0, bytes, after: [] }),
    );
    expect((await mag('export', ref, 'source', 'part.csv', '--resume')).out).toBe(
      '5 rows written to part.csv\n',
    );
    expect(readFileSync(join(folder, 'part.csv'), 'utf8')).toBe(whole);
  });

  it('refuse what they cannot read', async () => {
    const { ref } = projects[engine];
    write('bad.jsonl', '{"id": 1}\nnot json\n');
    write('bad.csv', 'id,name\n1,"open\n');
    const usage = async (...args: string[]): Promise<[number, string]> => {
      const { code, err } = await mag(...args);
      return [code, err];
    };
    expect(await usage('import', ref, 'target', 'bad.jsonl')).toEqual([2, expect.stringContaining('line 2')]);
    expect(await usage('import', ref, 'target', 'bad.csv')).toEqual([2, expect.stringContaining('bad.csv')]);
    expect(await usage('import', ref, 'target', 'x.parquet')).toEqual([
      2,
      expect.stringContaining('--format'),
    ]);
    expect(await usage('export', ref, 'source', 'x.csv', '--batch', '0')).toEqual([
      2,
      expect.stringContaining('--batch'),
    ]);
    expect(await usage('export', ref, 'nowhere', 'x.csv')).toEqual([1, expect.stringContaining('nowhere')]);
  });
});

describe('rows of several shapes', () => {
  it.each(ENGINES)(
    'get the defaults of what they lack on %s, and an upsert leaves that alone',
    async (engine) => {
      const { ref } = projects[engine];
      await board.sql(projects[engine], 'drop table if exists odds');
      await board.sql(
        projects[engine],
        'create table odds (id integer primary key, a integer default 7, b integer)',
      );
      write('rows.jsonl', '{"id":1,"b":1}\n{"id":2,"a":2}\n');
      expect((await mag('import', ref, 'odds', 'rows.jsonl')).code).toBe(0);
      write('more.jsonl', '{"id":2,"b":3}\n{"id":1,"a":4}\n');
      expect((await mag('import', ref, 'odds', 'more.jsonl', '--upsert=')).code).toBe(0);
      const { body } = await board.sql(projects[engine], 'select id, a, b from odds order by id');
      expect(body.rows).toEqual([
        { id: 1, a: 4, b: 1 },
        { id: 2, a: 2, b: 3 },
      ]);
      const refused = await mag('import', ref, 'odds', 'rows.jsonl');
      expect(refused.err).toContain('Rows 1 to 2 were refused: duplicate key');
    },
  );
});

describe.each(ENGINES)('the types of a project on %s', (engine) => {
  it('are those that supabase-js works with', async () => {
    const project = projects[engine];
    const odd = engine === 'mysql' ? '`odd name`' : '"odd name"';
    await board.sql(project, 'create table authors (id integer primary key, name text not null)');
    await board.sql(
      project,
      `create table books (id integer primary key, author_id integer not null references authors (id), title text, ${odd} boolean default false)`,
    );
    const { out } = await mag('types', project.ref);
    // Beside node_modules, so that the compiler resolves as it does for a reader.
    const path = join(ROOT, `types-${process.pid}-${engine}.log`);
    mkdirSync(path);
    try {
      writeFileSync(join(path, 'database.types.ts'), out);
      writeFileSync(
        join(path, 'use.ts'),
        `import { createClient } from '@supabase/supabase-js';
import type { Database } from './database.types.ts';
const db = createClient<Database>('http://localhost', 'key');
const { data } = await db.from('books').select('id, title');
export const title: string | null | undefined = data?.[0]?.title;
await db.from('books').insert({ id: 1, author_id: 1 });
await db.from('authors').insert({ id: 1, name: 'Ada' });
// @ts-expect-error: it has to have a name
await db.from('authors').insert({ id: 1 });
// @ts-expect-error: there is no such column
await db.from('books').select('nothing').eq('nothing', 1).single().then(({ data }) => data?.nothing.length);
// @ts-expect-error: there is no such table
db.from('nowhere');
`,
      );
      const flags =
        '--noEmit --strict --target esnext --module nodenext --allowImportingTsExtensions --skipLibCheck';
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      const run = spawnSync(process.execPath, [tsc, ...flags.split(' '), '--ignoreConfig', 'use.ts'], {
        cwd: path,
        encoding: 'utf8',
      });
      expect(run.stdout).toBe('');
      expect(run.status).toBe(0);
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  });
});
