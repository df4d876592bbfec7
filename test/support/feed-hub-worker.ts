import { parentPort, workerData } from 'node:worker_threads';
import { createFeedHub } from '../../src/actors/feed/feed-hub.ts';
import type { FeedRequest } from '../../src/actors/feed/feed-messages.ts';
import type { Connection } from '../../src/protocol/project.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

interface Ask {
  readonly ask: number | null;
  readonly message: FeedRequest;
}

const { dataDir, connections } = workerData as {
  dataDir: string;
  connections: Readonly<Record<string, Connection>>;
};
const hub = createFeedHub({
  host: nodeHost(),
  log: silentLog,
  dataDir,
  resolve: async (ref) => {
    const connection = connections[ref];
    if (connection === undefined)
      throw Object.assign(new Error('no such project'), { code: 'MAG_PROJECT_NOT_FOUND' });
    return connection;
  },
  send: (path, message) => {
    parentPort?.postMessage({ path, message });
    return 'sent';
  },
});

void hub.restore(Object.keys(connections));

parentPort?.on('message', ({ ask, message }: Ask) => {
  Promise.resolve()
    .then(() => hub.handle(message))
    .then(
      (value) => ask !== null && parentPort?.postMessage({ ask, value }),
      (error: Error & { code?: string }) =>
        ask !== null &&
        parentPort?.postMessage({ ask, error: { code: error.code ?? '', message: error.message } }),
    );
});
