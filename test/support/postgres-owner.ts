import { join } from 'node:path';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { PostgresServer } from '../../src/actors/storage/postgres/server.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

/** A process that owns an embedded server in the folder it is given, to be killed by a test. */
const folder = process.argv[2] ?? '';
const server = new PostgresServer({
  ...{ dataFolder: folder, secretsFolder: join(folder, 'secrets'), host: nodeHost(), log: silentLog },
  children: new ManagedChildren(join(folder, 'run', 'children.json')),
});
process.stdout.write('starting\n');
const address = await server.start();
process.stdout.write(`${JSON.stringify({ ...address, pid: server.pid })}\n`);
setInterval(() => {}, 60_000);
