import type { ActorNode } from '../../src/protocol/actor-node.ts';
import { ADMIN_KEY, eventually, findNode, startTestBoard } from './board.ts';
import type { TestConsole } from './console-server.ts';

const EDGES = 'board/edges';

/** The console of a whole board, in its own process. */
export async function startBoardConsole(): Promise<TestConsole> {
  const board = await startTestBoard();
  const edges = async (): Promise<readonly ActorNode[]> =>
    findNode(await board.tree(), EDGES)?.children ?? [];
  return {
    url: board.url,
    adminKey: ADMIN_KEY,
    ticket: /\?ticket=(\S+)/.exec(board.output())?.[1] ?? null,
    victim: 'board/permits',
    cutSockets: async () => {
      // One after the other, so that one of them always answers.
      for (const { path, restarts } of await edges()) {
        const reason = "the test cuts the inspector's socket";
        // The order may go over a socket of the very edge that it ends.
        await board.admin('POST', `/admin/v1/actors/${path}/crash`, { reason }).catch(() => {});
        // The order is carried out after its reply: a worker that runs may be the old one yet.
        await eventually(async () => {
          const now = findNode(await board.tree(), path);
          return now?.status === 'running' && now.restarts > restarts;
        }, `${path} runs again`);
      }
    },
    stop: async () => {
      await board.stop();
    },
  };
}
