import { DocumentServer } from '../src/actors/storage/documents/server.ts';
import { DOCUMENT_LIMITS } from '../src/limits-documents.ts';
import { nodeHost } from '../src/runtime/host-node.ts';

/**
 * Entry of the embedded document server, a child of the main thread. It is told over IPC where its files are, and whom
 * to take for its administrator: a secret has no place among a process's arguments. It ends with the IPC channel.
 */
interface Start {
  readonly folder: string;
  readonly port: number;
  readonly admin: { readonly name: string; readonly password: string };
  readonly faultInjection: boolean;
}

if (process.send === undefined) {
  process.stderr.write('document-server is started by the board, with an IPC channel\n');
  process.exit(2);
}

const host = nodeHost();
const tell = (message: object): void => {
  if (process.connected) process.send?.(message);
};

function beat(): void {
  tell({ type: 'alive' });
  host.setTimer(DOCUMENT_LIMITS.heartbeatMs, beat);
}

async function start({ folder, port, admin, faultInjection }: Start): Promise<void> {
  const log = (message: string): void => void process.stderr.write(`document server: ${message}\n`);
  const server = new DocumentServer({ host, folder, admin, faultInjection, log });
  // The port of last time, where nobody has taken it: open clients then find the server again by themselves.
  const bound = await server.listen(port).catch(() => server.listen(0));
  const stop = (): void => void server.close().finally(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('disconnect', stop);
  tell({ type: 'ready', port: bound });
  beat();
}

process.once('message', (message) => {
  start(message as Start).catch((error: unknown) => {
    // sent by document-server-process.ts
    process.stderr.write(`document server: ${String(error)}\n`);
    process.exit(1);
  });
});
