import { jsonLogger } from '../../src/actors/bios/logger.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';

/** Logs as a board does where stdout is no terminal, then exits at once. */
const { log, flush } = jsonLogger('info', nodeHost());
log.debug({}, 'not shown');
log.info({ port: 1, connection: { password: 'hunter2' }, config: { adminKey: 'hunter2' } }, 'started');
log.child({ component: 'gate' }).warn({}, 'slow');
await flush();
process.exit(0);
