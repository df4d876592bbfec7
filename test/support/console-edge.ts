import { type ChildSpec, component, light, supervisor } from '../../src/index.ts';

/** A worker's subtree, for a page that wants one to look at. */
export default function consoleEdge(): ChildSpec {
  const beat = component('sessions', (context) => {
    const tick = (): void => {
      if (context.signal.aborted) return;
      context.self.send({ type: 'TICK' });
      context.host.setTimer(1_000, tick);
    };
    tick();
    return { handle: () => null };
  });
  return supervisor('edge', {
    children: [
      light('relay', { init: () => 0, receive: (count) => count + 1 }),
      component('gate', () => ({ handle: () => null })),
      component('realtime', () => ({ handle: () => null })),
      beat,
    ],
  });
}
