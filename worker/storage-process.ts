import { setPriority } from 'node:os';
import { listen, StorageService } from '../src/actors/storage/storage-process/storage-service.ts';

/**
 * Entry of a storage process, a child of the main thread. First argument: the path of the socket to listen on.
 * It ends when its parent does: with the IPC channel.
 */
const path = process.argv[2];
if (path === undefined || process.send === undefined) {
  process.stderr.write('storage-process is started by the board, with a socket path and an IPC channel\n');
  process.exit(2);
}

/** A long statement must not take the processor from the edge threads. Where this is refused, it only competes. */
const NICENESS = 5;
try {
  setPriority(NICENESS);
} catch {
  process.stderr.write('storage process: its priority cannot be lowered\n');
}

process.on('disconnect', () => process.exit(0));

const service = new StorageService();
await listen(path, service);
process.send({ type: 'ready' });
