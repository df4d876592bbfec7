import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, startTestBoard, type TestBoard } from '../support/board.ts';

let board: TestBoard;
beforeAll(async () => {
  board = await startTestBoard();
});
afterAll(async () => {
  await board.stop();
});

describe('what every command comes through', () => {
  it.each(['board/admin', 'board/audit', 'board/edges'])(
    '%s cannot be stopped or paused for good: no command could bring it back; a restart can be had',
    async (path) => {
      for (const name of ['stop', 'pause']) {
        const reply = await board.admin('POST', `/admin/v1/actors/${path}/${name}`, { reason: 'test' });
        expect([reply.status, reply.body]).toEqual([
          400,
          expect.objectContaining({
            code: 'MAG_BAD_REQUEST',
            message: expect.stringContaining('restart it'),
          }),
        ]);
      }
      const restarted = await board.admin('POST', `/admin/v1/actors/${path}/restart`, { reason: 'test' });
      expect(restarted.status).toBe(202);
      await eventually(
        async () => (await board.admin('GET', '/admin/v1/projects')).status === 200,
        'an answer',
      );
    },
  );
});
