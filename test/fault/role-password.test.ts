import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';
import { service } from '../support/services/index.ts';

/** By engine: sets another password for whoever runs it, and ends every connection of the project's. */
const ENGINES = {
  postgres: {
    change: `ALTER ROLE CURRENT_USER PASSWORD 'mine'`,
    end: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE usename = current_user AND pid <> pg_backend_pid();
      SELECT pg_terminate_backend(pg_backend_pid())`,
  },
  mysql: {
    change: `SET PASSWORD = PASSWORD('mine')`,
    end: 'KILL USER CURRENT_USER',
  },
} as const;

describe('a tenant that locks its own role out', () => {
  let board: TestBoard;
  beforeAll(async () => {
    board = await startTestBoard({ env: { MAG_EDGE_WORKERS: '2' } });
  });
  afterAll(() => board.stop());

  const engines = (['postgres', 'mysql'] as const).filter(
    (engine) => engine === 'postgres' || service('mariadb').available,
  );
  const cases = [
    ...engines.map((engine) => ({ engine, by: 'another password', ...ENGINES[engine] })),
    {
      ...{ engine: 'postgres', by: 'a library that no session can load' },
      ...{ change: `ALTER ROLE CURRENT_USER SET local_preload_libraries = 'none'` },
      end: ENGINES.postgres.end,
    },
  ] as const;

  it.each(cases)('is served on by $engine, by $by', async ({ engine, by, change, end }) => {
    const project: NewProject = await board.createProject(`${engine} ${by}`, engine);
    expect((await board.sql(project, change)).status).toBe(200);
    // The connection that says so goes with the others.
    await board.sql(project, end);
    // On a connection that was just ended a statement is lost: that is another matter than being refused.
    const answer = async (): Promise<unknown> => {
      const { status, body } = await board.sql(project, 'SELECT 1 AS n');
      if (body.message?.includes('was lost') === true) return answer();
      return status === 200 ? status : body;
    };
    const answers = await Promise.all(Array.from({ length: 8 }, answer));
    expect(answers).toEqual(answers.map(() => 200));
  });
});
