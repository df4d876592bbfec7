import { createScopeClient } from '../../src/actors/console/scope-client.ts';
import { createScopeHub, type ScopeHubPorts } from '../../src/actors/console/scope-hub.ts';
import type { Message } from '../../src/runtime/spec.ts';

/** The hub and one edge's end of it, joined without a thread between them. */
export function joinScope(system: ScopeHubPorts['system'], path = 'board/edges/edge-1/uplink') {
  let toEdge: (message: Message) => void = () => {};
  const hub = createScopeHub({
    system,
    send: (to, message) => {
      if (to !== path) return 'dead';
      const carried = structuredClone(message);
      system.host.defer(() => toEdge(carried));
      return 'sent';
    },
  });
  const scope = createScopeClient({
    host: system.host,
    log: system.log,
    path,
    ask: async (message) => hub.handle(message) ?? { known: false },
    send: (message) => void hub.handle(message),
    onMessage: (listener) => {
      toEdge = listener;
    },
  });
  return { hub, scope };
}
