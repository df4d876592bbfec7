import type { ComponentContext, ComponentService } from '../../runtime/spec.ts';
import { createScopeHub } from './scope-hub.ts';

/** The console's component on the main thread: the scope hub, asked by edge workers with SCOPE_… messages. */
export function startConsole(context: ComponentContext): ComponentService {
  const { system } = context;
  const hub = createScopeHub({ system, send: (path, message) => system.slot(path).send(message) });
  return {
    api: { stats: () => hub.stats() },
    handle: (message) => hub.handle(message),
    stop: async () => hub.close(),
  };
}
