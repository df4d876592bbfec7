import { LIMITS } from '../src/limits.ts';
import { nodeHost } from '../src/runtime/host-node.ts';
import { useModuleCache } from '../src/runtime/module-cache.ts';
import { rehearse } from '../src/runtime/placement/rehearsal.ts';
import { load, Subtree } from '../src/runtime/placement/remote-host.ts';
import { PortTransport } from '../src/runtime/placement/transport.ts';
import type { HostTask } from '../src/runtime/placement/worker-vessel.ts';

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
    ready: beat,
    leave: () => {},
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
  if (task.spare) make.then(() => rehearse(host)).catch(() => {}); // it is ready without, only slower
  return new Promise<never>(() => {});
}
