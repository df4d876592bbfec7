/** Our realtime gateway alone, in one thread, over projects in memory. Prints its port; answers `rss` over IPC. */
import { memoryPorts, projectHandle } from '../../test/support/edge-ports.ts';
import { MemoryFeed } from '../../test/support/memory-feed.ts';
import { startRealtime } from '../../test/support/phoenix-client.ts';

const ports = memoryPorts({ projects: [projectHandle('bench')], feed: new MemoryFeed() });
const server = await startRealtime(ports);
process.stdout.write(`${new URL(server.url).port}\n`);
