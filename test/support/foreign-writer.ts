import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NewProject, TestBoard } from './board.ts';

/** Runs a statement on a project's database from a process that knows nothing of the board. */
export async function writeFromAnotherProcess(
  board: TestBoard,
  project: NewProject,
  sql: string,
): Promise<void> {
  const code =
    project.engine === 'sqlite'
      ? sqliteWriter(board, project)
      : postgresWriter(await postgresUrl(board, project));
  execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, SQL: sql },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

const sqliteWriter = (board: TestBoard, project: NewProject): string => `
  import { DatabaseSync } from 'node:sqlite';
  const db = new DatabaseSync(${JSON.stringify(join(board.folder, 'projects', project.ref, 'data.sqlite'))}, { timeout: 5000 });
  db.exec(process.env.SQL);
  db.close();`;

interface ManagedChild {
  readonly kind: string;
  readonly port: number;
}

/** The URL of a project's database for the managed cluster's own superuser: what an operator gives to psql. */
export async function postgresUrl(board: TestBoard, project: NewProject): Promise<string> {
  const recorded = JSON.parse(readFileSync(join(board.folder, 'run/children.json'), 'utf8')) as
    | readonly ManagedChild[]
    | { readonly children: readonly ManagedChild[] }; // written by the board
  const children = 'children' in recorded ? recorded.children : recorded;
  const server = children.find((child) => child.kind === 'postgres');
  if (server === undefined) throw new Error('no managed PostgreSQL is recorded');
  const password = readFileSync(join(board.folder, 'secrets/postgres-superuser'), 'utf8').trim();
  const { body } = await board.sql(project, 'select current_database() as name');
  return `postgres://magmobo:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${body.rows[0]?.name}`;
}

const postgresWriter = (url: string): string => `
  import pg from 'pg';
  const db = new pg.Client({ connectionString: ${JSON.stringify(url)} });
  await db.connect();
  await db.query('set search_path = public');
  await db.query(process.env.SQL);
  await db.end();`;
