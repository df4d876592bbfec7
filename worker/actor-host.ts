import { LIMITS } from '../src/limits.ts';
import type { Host } from '../src/runtime/host.ts';
import { nodeHost } from '../src/runtime/host-node.ts';
import { saveModuleCache, useModuleCache } from '../src/runtime/module-cache.ts';
import { rehearse } from '../src/runtime/placement/rehearsal.ts';
import { load, type Make, Subtree } from '../src/runtime/placement/remote-host.ts';
import { PortTransport } from '../src/runtime/placement/transport.ts';
import type { HostTask } from '../src/runtime/placement/worker-vessel.ts';

/**
 * What ends uses no processor while its replacement starts, and nothing of it runs any more. Taking a thread down costs
 * milliseconds, on however many processors there are.
 */
function rest(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What a spare does while nobody waits for it. */
async function prepare(host: Host, make: Promise<Make>, subtree: Subtree): Promise<void> {
  await make;
  await rehearse(host, () => subtree.mounted);
  if (!subtree.mounted) saveModuleCache();
}

/** The long-lived task of a worker thread. It never ends by itself: the thread above ends the thread. */
export default function actorHost(task: HostTask): Promise<never> {
  useModuleCache(task.cache);
  const host = nodeHost();
  const beat = (): void => {
    Atomics.add(task.pulse, 0, 1);
    host.setTimer(LIMITS.heartbeatMs / 2, beat);
  };
  const make = load(task.module);
  const subtree = new Subtree({
    host,
    pid: process.pid,
    transport: new PortTransport(host, task.port),
    make,
    ready: () => {
      beat();
      // It writes files, and what was just started has messages to answer first. Left to the end, it would be in the way
      // of that. It may take a second of processor time: no loop that never ends, so the thread is not looked at for it.
      host.setTimer(LIMITS.spareDelayMs, () => {
        Atomics.store(task.pulse, 0, 0);
        saveModuleCache();
        Atomics.store(task.pulse, 0, 1);
      });
    },
    leave: () => {},
    failed: () => rest(LIMITS.shutdownMs),
  });
  let uncaught: unknown = null;
  process.on('uncaughtExceptionMonitor', (error) => {
    uncaught = error;
    // A handler of the module may catch it after all; then the thread ends, if it does, for another reason.
    host.defer(() => {
      uncaught = null;
    });
  });
  process.on('exit', (code) => subtree.ending(code, uncaught));
  // After the handlers that the module has added for itself.
  make.catch(() => {}).then(() => process.on('exit', () => rest(LIMITS.restMs)));
  // It is ready without, only slower; a module that does not load is told at the start.
  if (task.spare) prepare(host, make, subtree).catch(() => {});
  return new Promise<never>(() => {});
}
