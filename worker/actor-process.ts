import { nodeHost } from '../src/runtime/host-node.ts';
import { load, Subtree } from '../src/runtime/placement/remote-host.ts';
import { type IpcEnd, IpcTransport } from '../src/runtime/placement/transport.ts';

const ipc: IpcEnd = {
  send: (message) => void process.send?.(message),
  onMessage: (listener) => void process.on('message', listener),
  onClose: (listener) => void process.on('disconnect', listener),
  close: () => {},
};

const [, , module] = process.argv;
if (module === undefined || process.send === undefined)
  throw new Error('This file is started by the actor runtime.');

// A signal to the whole group (Ctrl-C, npm) reaches this process too; its parent drains it, and then ends it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

const host = nodeHost();
new Subtree({
  host,
  pid: process.pid,
  transport: new IpcTransport(host, ipc),
  make: load(module),
  ready: () => {},
  // Without its parent it serves nobody, and would hold what the next board needs.
  leave: () => process.exit(0),
});
