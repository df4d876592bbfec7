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
  const code = project.engine === 'sqlite' ? sqliteWriter(board, project) : postgresWriter(board, project);
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

/** Connects as the cluster's own superuser, as an operator with psql would. */
function postgresWriter(board: TestBoard, project: NewProject): string {
  const recorded = JSON.parse(readFileSync(join(board.folder, 'run/children.json'), 'utf8')) as
    | readonly ManagedChild[]
    | { children: readonly ManagedChild[] }; // written by the board
  const children = 'children' in recorded ? recorded.children : recorded;
  const server = children.find((child) => child.kind === 'postgres');
  if (server === undefined) throw new Error('no managed PostgreSQL is recorded');
  const password = readFileSync(join(board.folder, 'secrets/postgres.password'), 'utf8').trim();
  return `
    import pg from 'pg';
    const admin = { host: '127.0.0.1', port: ${server.port}, user: 'postgres', password: ${JSON.stringify(password)} };
    const root = new pg.Client({ ...admin, database: 'postgres' });
    await root.connect();
    const { rows } = await root.query("select datname from pg_database where datname like '%${project.ref}%'");
    await root.end();
    const db = new pg.Client({ ...admin, database: rows[0].datname });
    await db.connect();
    await db.query(process.env.SQL);
    await db.end();`;
}
