import { createScopeHub } from '../../src/actors/console/scope-hub.ts';
import { startUplink } from '../../src/actors/edge/uplink.ts';
import {
  type ActorSystem,
  type ChildSpec,
  component,
  createSystem,
  nodeHost,
  remote,
  supervisor,
} from '../../src/index.ts';

const idle = (id: string, options: Partial<ChildSpec> = {}): ChildSpec =>
  component(id, () => ({ handle: () => null }), options);

const degraded = (id: string, detail: string): ChildSpec =>
  component(id, (context) => {
    context.degraded(detail);
    return {};
  });

const scope = component('scope', ({ system }) => {
  const hub = createScopeHub({ system, send: (path, message) => system.slot(path).send(message) });
  return { handle: (message) => hub.handle(message), stop: async () => hub.close() };
});

/** A backoff that a browser has the time to show. */
const VISIBLE = { base: 700, cap: 900, resetAfter: 60_000 };

const edge = (id: string): ChildSpec =>
  remote(id, {
    where: 'worker',
    module: new URL('./console-edge.ts', import.meta.url),
    pool: 'edge',
    backoff: VISIBLE,
  });

/** A real actor system with a tree like a board's: supervisors, components, two workers and a child process. */
export async function startConsoleSystem(): Promise<ActorSystem> {
  const system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
  await system.start(
    supervisor('board', {
      children: [
        idle('config'),
        idle('keys'),
        idle('audit'),
        idle('catalogue', { backoff: VISIBLE }),
        scope,
        component('uplink', startUplink),
        supervisor('storage', {
          strategy: 'rest_for_one',
          children: [
            idle('sqlite-writer'),
            remote('statement-1', {
              where: 'process',
              module: new URL('./console-edge.ts', import.meta.url),
              backoff: VISIBLE,
            }),
          ],
        }),
        supervisor('feed', {
          children: [idle('demo'), degraded('shop', 'Changes of shop cannot be followed: slot lost')],
        }),
        supervisor('edges', { children: [edge('edge-1'), edge('edge-2')] }),
      ],
    }),
  );
  return system;
}
