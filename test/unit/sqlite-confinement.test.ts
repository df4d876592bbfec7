import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

/** As the feed installs it: by a connection of its own, outside the confinement. */
const CHANGE_LOG = `
  create table _mag_idempotency (key text primary key, fingerprint text, expires integer, result text);
  create table _mag_changes (seq integer primary key autoincrement, tbl text, rec text, old text);
  create trigger _mag_notes_insert after insert on notes begin
    insert into _mag_changes (tbl, rec) values ('notes', json_object('id', new.id, 'body', new.body));
  end;
  create trigger _mag_notes_delete after delete on notes begin
    insert into _mag_changes (tbl, old) values ('notes', json_object('id', old.id, 'body', old.body));
  end;`;

describe('tenant SQL on SQLite', () => {
  let board: SqliteBoard;
  let engine: Engine;
  let outside: string;

  const sql = (statement: string, params: readonly unknown[] = []) =>
    engine.sql(statement, params, board.context());

  beforeAll(async () => {
    board = new SqliteBoard();
    engine = await board.engine();
    outside = join(board.dataDir, 'outside.sqlite');
    const other = new DatabaseSync(outside);
    other.exec('create table secret (a); insert into secret values (42)');
    other.close();
    await sql('create table notes (id integer primary key, body text)');
    const feed = new DatabaseSync(await board.file());
    feed.exec(CHANGE_LOG);
    feed.close();
  });

  afterAll(() => board.close());

  it.each([
    `attach '/etc/passwd' as other`,
    `attach ':memory:' as other`,
    `vacuum into '/tmp/copy.sqlite'`,
    'vacuum',
    'detach main',
    'pragma writable_schema = 1',
    'pragma writable_schema',
    'pragma journal_mode = delete',
    `pragma temp_store_directory = '/tmp'`,
    'pragma schema_version = 1',
    'pragma locking_mode = exclusive',
    'pragma wal_checkpoint(truncate)',
    'pragma wal_autocheckpoint = 0',
    'pragma busy_timeout = 0',
    'pragma synchronous = off',
    'pragma foreign_keys = off',
    'pragma recursive_triggers = off',
    'pragma trusted_schema = on',
    'pragma query_only = on',
    'pragma mmap_size = 100000000',
    'pragma max_page_count = 1',
    'pragma database_list',
    'pragma module_list',
    'select * from pragma_database_list',
    `select load_extension('x')`,
    `select fts3_tokenizer('simple')`,
    `select sqlite_log(1, 'x')`,
    `create virtual table v using fts5vocab(a, b)`,
    `create virtual table v using dbstat`,
    'select * from _mag_changes',
    'select * from _mag_idempotency',
    'with _mag_x as (select * from _mag_idempotency) select * from _mag_x',
    `insert into _mag_idempotency values ('k', 'f', 1, 'r')`,
    'update _mag_idempotency set expires = 0',
    'delete from _mag_idempotency',
    'drop table _mag_idempotency',
    'select count(*) from _mag_changes',
    'select (select max(seq) from _mag_changes)',
    'with _mag_x as (select * from _mag_changes) select * from _mag_x',
    `with '_mag_x' as (select * from '_mag_changes') select * from '_mag_x'`,
    'select * from (select * from _mag_changes) as _mag_x',
    'select * from (select * from _mag_changes) as "_MAG_x"',
    'create view peek as with _mag_x as (select * from _mag_changes) select * from _mag_x',
    'insert into _mag_changes (tbl) values (1)',
    'update _mag_changes set tbl = 1',
    'delete from _mag_changes',
    'drop table _mag_changes',
    'alter table _mag_changes rename to mine',
    'alter table notes rename to _mag_notes',
    'alter table notes rename to "_MAG_notes"',
    `alter table notes rename to '_mag_notes'`,
    'alter table notes rename to [_mag_notes]',
    'alter table notes /* x */ rename to\n`_mag_notes`',
    'drop trigger _mag_notes_insert',
    'create index mine on _mag_changes (tbl)',
    'create table _mag_mine (a)',
    'create view _mag_view as select 1',
    'create trigger _mag_mine after insert on notes begin select 1; end',
    'create trigger mine after insert on _mag_changes begin select 1; end',
    'create temp trigger _mag_t after insert on notes begin delete from _mag_changes; end',
    'create temp view _mag_v as select 1',
    'create virtual table _mag_f using fts5(a)',
    'pragma table_info(_mag_changes)',
    `select * from pragma_table_info('_mag_changes')`,
  ])('is refused: %s', async (statement) => {
    await expect(sql(statement)).rejects.toMatchObject({ code: 'MAG_STATEMENT_FORBIDDEN', status: 403 });
  });

  it.each([
    ['update sqlite_master set sql = null', '42501'],
    ['delete from sqlite_master', '42501'],
    [`insert into sqlite_master values ('table', 'x', 'x', 0, 'create table x (a)')`, '42501'],
    [`select readfile('/etc/passwd')`, '42883'],
    [`select writefile('/tmp/x', 'y')`, '42883'],
    [`select edit('x')`, '42883'],
    [`select * from fsdir('/')`, '42P01'],
    [`create virtual table v using csv(filename='/etc/passwd')`, 'MAG_STATEMENT_FORBIDDEN'],
    [`create virtual table v using sqlite_dbpage`, 'MAG_STATEMENT_FORBIDDEN'],
  ])('does not get far: %s', async (statement, code) => {
    await expect(sql(statement)).rejects.toMatchObject({ code });
  });

  it('a view or trigger of the tenant reaches the change log no more than the tenant does', async () => {
    await expect(sql('create view peek as select * from _mag_changes')).rejects.toMatchObject({
      code: 'MAG_STATEMENT_FORBIDDEN',
    });
    const maker = new DatabaseSync(await board.file());
    maker.exec('create view peek as select * from _mag_changes');
    maker.close();
    await expect(sql('select * from peek')).rejects.toMatchObject({ code: 'MAG_STATEMENT_FORBIDDEN' });
    await sql('drop view peek');
    await sql('create table bait (a)');
    const springer = new DatabaseSync(await board.file());
    springer.exec('create trigger spring after insert on bait begin delete from _mag_changes; end');
    springer.close();
    await expect(sql('insert into bait values (1)')).rejects.toMatchObject({
      code: 'MAG_STATEMENT_FORBIDDEN',
    });
    await sql('drop table bait');
  });

  it('a connection string in a file name leads nowhere', async () => {
    writeFileSync(join(board.dataDir, 'x'), '');
    await expect(sql(`attach 'file:${outside}?mode=ro' as other`)).rejects.toMatchObject({
      code: 'MAG_STATEMENT_FORBIDDEN',
    });
    expect(existsSync('/tmp/copy.sqlite')).toBe(false);
  });

  it('the change log still follows every write, inline or not', async () => {
    const context = board.context();
    await engine.execute(
      { kind: 'insert', schema: 'public', table: 'notes', rows: [{ id: 1, body: 'a' }], missing: 'null' },
      context,
    );
    await sql(`insert into notes values (2, 'b')`);
    await sql('delete from notes where id = 1');
    const feed = new DatabaseSync(await board.file());
    const log = feed.prepare('select coalesce(rec, old) as row from _mag_changes order by seq').all();
    feed.close();
    expect(log.map(({ row }) => JSON.parse(String(row)))).toEqual([
      { id: 1, body: 'a' },
      { id: 2, body: 'b' },
      { id: 1, body: 'a' },
    ]);
  });

  it('the change log is no part of the schema', async () => {
    const { tables } = await engine.schema(board.context());
    expect([...tables.keys()].filter((name) => name.startsWith('_mag_'))).toEqual([]);
    const query = {
      kind: 'select',
      schema: 'public',
      table: '_mag_changes',
      select: [{ kind: 'all' }],
      order: [],
    } as const;
    await expect(engine.execute(query, board.context())).rejects.toMatchObject({ code: 'PGRST205' });
  });

  it.each([
    'create table t1 (a integer primary key, b text); alter table t1 add column c; alter table t1 rename column b to d; drop table t1',
    'create table t2 (a); create index i2 on t2 (a); create view v2 as select a from t2; drop view v2; drop table t2',
    `create virtual table f using fts5(body); insert into f values ('hello world'); select * from f where f match 'hello'; drop table f`,
    'create virtual table r using rtree(id, x0, x1); insert into r values (1, 0, 1); drop table r',
    `create table tr (a); create trigger tg after insert on tr begin update tr set a = case a when 1 then 2 else 3 end; end; insert into tr values (1); drop table tr`,
    'pragma table_info(notes)',
    `select 'not _mag_changes' as a`,
    'select 1 -- _mag_changes',
    'pragma foreign_key_check',
    'pragma user_version = 7; pragma user_version',
    'pragma integrity_check',
    'analyze',
    'begin; create table b1 (a); commit; drop table b1',
    'savepoint a; release a',
    'with recursive n(i) as (select 1 union all select i + 1 from n limit 3) select * from n',
    'explain query plan select * from notes',
    `select json_extract('{"a":1}', '$.a'), sum(1) over (), strftime('%Y', 'now'), printf('%d', 1)`,
    'create table with_change_log (a); drop table with_change_log',
  ])('ordinary work is allowed: %s', async (script) => {
    await expect(sql(script)).resolves.toBeDefined();
  });

  it('a table that the board watches can be dropped and renamed by its owner', async () => {
    await sql('create table watched (id integer primary key)');
    const feed = new DatabaseSync(await board.file());
    feed.exec(`create trigger _mag_watched after insert on watched begin
      insert into _mag_changes (tbl) values ('watched'); end`);
    feed.close();
    await sql('alter table watched rename to seen');
    await sql('alter table seen add column b');
    await sql('drop table seen');
    await expect(sql('drop table notes; drop trigger _mag_notes_insert')).rejects.toMatchObject({
      code: expect.stringMatching(/MAG_STATEMENT_FORBIDDEN|42704/),
    });
  });
});
