import { LIMITS } from '../../limits.ts';
import type { ChildSpec, ComponentContext, ComponentService } from '../../runtime/spec.ts';
import { component, supervisor } from '../../runtime/specs.ts';
import { createScopeSocket } from '../console/scope-socket.ts';
import { buildGate } from '../gate/gate.ts';
import { createRealtime } from '../realtime/gateway.ts';
import { openPorts } from './edge-ports.ts';
import { drainPlan, type EdgeInput } from './input.ts';
import { type StorageSessions, startStorageSessions } from './storage-sessions.ts';
import { startUplink, type Uplink } from './uplink.ts';

/** Gate and realtime gateway on the shared port. They are one component: they share a socket and its upgrades. */
async function startDoors(context: ComponentContext, input: EdgeInput): Promise<ComponentService> {
  const { ports, close } = await openPorts(context, input);
  const uplink = context.system.service<Uplink>('uplink');
  const gate = await buildGate(ports, {
    edges: input.edges,
    uiDirectory: input.uiDirectory,
    drainSeconds: drainPlan(input.drainSeconds).requests / 1_000,
    ...(input.domain === null ? {} : { domain: input.domain }),
  });
  const realtime = createRealtime(ports, {
    socketsPerProject: Math.ceil(LIMITS.socketsPerProject / input.edges),
  });
  const scope = createScopeSocket(ports);
  gate.onUpgrade('/realtime/v1/websocket', (request, socket, head, { ref }) =>
    realtime.handleUpgrade(request, socket, head, ref ?? ''),
  );
  gate.onUpgrade('/admin/v1/scope', (request, socket, head) => scope.handleUpgrade(request, socket, head));
  gate.onBroadcast((...message) => realtime.broadcast(...message));
  const { circuits } = context.system.service<StorageSessions>('sessions');
  uplink.on('EDGE_STATS', () => ({
    gate: gate.stats(),
    realtime: realtime.stats(),
    circuits: circuits(),
  }));
  const stop = async (): Promise<void> => {
    scope.close();
    await realtime.close();
    await gate.close();
    close();
  };
  try {
    await gate.listen({ host: input.host, port: input.port, reusePort: input.edges > 1 });
  } catch (error) {
    // The port is taken, say: what was built must not pile up over the next tries.
    await stop();
    throw error;
  }
  return {
    drain: async () => {
      scope.close();
      await Promise.all([gate.drain(), realtime.drain()]);
    },
    stop,
  };
}

/**
 * One edge worker: its own accept loop on the shared port, its own database sessions. Each part stands on those
 * before it, so a crash takes what comes after along: rest_for_one.
 */
export default function edge(input: EdgeInput): ChildSpec {
  const plan = drainPlan(input.drainSeconds);
  return supervisor(input.name, {
    strategy: 'rest_for_one',
    children: [
      component('uplink', startUplink),
      component('sessions', (context) => startStorageSessions(context, input)),
      component('gate', (context) => startDoors(context, input), {
        shutdown: plan.gate,
      }),
    ],
    shutdown: plan.worker,
  });
}
