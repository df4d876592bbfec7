import { threadId } from 'node:worker_threads';
import { LIMITS } from '../src/limits.ts';
import { nodeHost } from '../src/runtime/host-node.ts';
import { useModuleCache } from '../src/runtime/module-cache.ts';
import { Subtree } from '../src/runtime/remote-host.ts';
import { PortTransport } from '../src/runtime/transport.ts';
import type { HostTask } from '../src/runtime/worker-pool.ts';

/** The long-lived task of a worker thread. It never ends by itself: the thread above ends the thread. */
export default function actorHost(task: HostTask): Promise<never> {
  useModuleCache(task.cache);
  const host = nodeHost();
  const beat = (): void => {
    Atomics.add(task.pulse, 0, 1);
    host.setTimer(LIMITS.heartbeatMs / 2, beat);
  };
  Atomics.store(task.pulse, 1, threadId);
  new Subtree({
    host,
    pid: process.pid,
    transport: new PortTransport(host, task.port),
    module: task.module,
    ready: beat,
    leave: () => {},
  });
  return new Promise<never>(() => {});
}
