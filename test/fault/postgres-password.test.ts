import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type NewProject, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard;
let project: NewProject;

beforeAll(async () => {
  board = await startTestBoard();
  project = await board.createProject('shop', 'postgres');
});
afterAll(() => board.stop());

describe('a tenant that changes the password of its own role', () => {
  it('is served again by connections that the board makes under a password it sets anew', async () => {
    expect((await board.sql(project, `ALTER ROLE CURRENT_USER PASSWORD 'mine'`)).status).toBe(200);
    const ended = await board.sql(project, 'SELECT pg_terminate_backend(pg_backend_pid())');
    expect(ended.status).toBe(503);
    await eventually(async () => (await board.sql(project, 'SELECT 1')).status === 200, 'a statement');
  });
});
