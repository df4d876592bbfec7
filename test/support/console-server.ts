import type { Socket } from 'node:net';
import { join } from 'node:path';
import { buildUi } from '../../scripts/build-ui.ts';
import { createScopeClient } from '../../src/actors/console/scope-client.ts';
import { createScopeSocket } from '../../src/actors/console/scope-socket.ts';
import type { EdgePorts } from '../../src/actors/edge/ports.ts';
import type { Uplink } from '../../src/actors/edge/uplink.ts';
import { buildGate } from '../../src/actors/gate/gate.ts';
import type { ActorSystem } from '../../src/runtime/system.ts';
import { CONSOLE_KEY, CONSOLE_TICKET, consoleAdmin } from './console-admin.ts';
import { startConsoleSystem } from './console-system.ts';

const DIST = join(import.meta.dirname, '../../ui/dist');

/** A console to test against: where it is, what signs in, and an actor that may be crashed. */
export interface TestConsole {
  readonly url: string;
  readonly adminKey: string;
  /** A one-time login ticket, where one can be had. */
  readonly ticket: string | null;
  /** Path of a component that comes back by itself after a crash, with a backoff a browser can see. */
  readonly victim: string;
  /** Cuts every inspector's socket, as a dying edge worker would. */
  cutSockets(): Promise<void>;
  readonly stop: () => Promise<void>;
}

const unused = (): never => {
  throw new Error('the console asks for no rows');
};

/** What an edge worker would hand its gate, but with the main thread's actors in reach. */
function edgePorts(system: ActorSystem, origin: () => string): EdgePorts {
  const uplink = system.service<Uplink>('uplink');
  return {
    host: system.host,
    log: system.log,
    name: 'edge-1',
    admin: consoleAdmin(system, origin),
    directory: { find: () => null, onChange: () => () => {} },
    sessions: { open: unused },
    feed: { activate: unused, follow: unused, read: unused, nudge: () => {} },
    status: () => ({ status: 'ready', stage: 'ready', components: [] }),
    scope: createScopeClient({
      host: system.host,
      log: system.log,
      path: uplink.path,
      ask: (message) => uplink.ask('board/scope', message),
      send: (message) => uplink.send('board/scope', message),
      onMessage: (listener) => uplink.on('SCOPE_FRAME', listener),
    }),
    relay: { publish: () => {}, onMessage: () => {} },
  };
}

/** The built page behind the real gate, over a real actor system; only projects are held in memory. */
export async function startConsole(): Promise<TestConsole> {
  await buildUi({ say: () => {} });
  const system = await startConsoleSystem();
  let url = '';
  const ports = edgePorts(system, () => url);
  const gate = await buildGate(ports, { uiDirectory: DIST });
  const scopeSocket = createScopeSocket(ports);
  gate.onUpgrade('/admin/v1/scope', scopeSocket.handleUpgrade);
  const open = new Set<Socket>();
  gate.server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  const { port } = await gate.listen({ host: '127.0.0.1', port: 0, reusePort: false });
  url = `http://127.0.0.1:${port}`;
  return {
    url,
    adminKey: CONSOLE_KEY,
    ticket: CONSOLE_TICKET,
    victim: 'board/catalogue',
    cutSockets: async () => {
      for (const socket of open) socket.destroy();
    },
    stop: async () => {
      scopeSocket.close();
      await gate.close();
      await system.stop('the test is over');
    },
  };
}

if (import.meta.main) {
  const { url, adminKey } = await startConsole();
  console.log(`${url}/?ticket=${CONSOLE_TICKET}  key ${adminKey}`);
}
