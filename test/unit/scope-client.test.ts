import { describe, expect, it } from 'vitest';
import type { ScopeReply } from '../../src/actors/console/messages.ts';
import { createScopeClient } from '../../src/actors/console/scope-client.ts';
import { createScopeHub } from '../../src/actors/console/scope-hub.ts';
import { LIMITS } from '../../src/limits.ts';
import type { ScopeFrame } from '../../src/protocol/actor-node.ts';
import type { Message } from '../../src/runtime/spec.ts';
import { countingHost } from '../support/counting-host.ts';
import { ScriptedSystem, sketchTree } from '../support/scripted-system.ts';

const EDGE = 'board/edges/edge-1/uplink';

/** A hub and an edge's end of it; `restartHub` loses what the hub knew, `down` makes asks fail. */
function setUp() {
  const host = countingHost();
  const system = new ScriptedSystem(host, sketchTree(['board', 'supervisor', {}, [['keys', 'component']]]));
  let toEdge: (message: Message) => void = () => {};
  const makeHub = () =>
    createScopeHub({
      system,
      send: (_path, message) => {
        toEdge(structuredClone(message));
        return 'sent';
      },
    });
  const state = { hub: makeHub(), down: false, asked: [] as string[] };
  const scope = createScopeClient({
    host,
    log: system.log,
    path: EDGE,
    ask: async (message): Promise<ScopeReply> => {
      state.asked.push(message.type);
      if (state.down) throw new Error('the hub is down');
      return state.hub.handle(message) ?? { known: false };
    },
    send: (message) => void state.hub.handle(message),
    onMessage: (listener) => {
      toEdge = listener;
    },
  });
  const restartHub = (): void => {
    state.hub.close();
    state.hub = makeHub();
  };
  return { host, system, scope, state, restartHub };
}

const collect = (): readonly [ScopeFrame[], (frame: ScopeFrame) => void] => {
  const frames: ScopeFrame[] = [];
  return [frames, (frame) => frames.push(frame)];
};

describe("an edge worker's end of the scope", () => {
  it('opens one upstream for all of its listeners, and closes it with the last', async () => {
    const { host, scope, state, system } = setUp();
    const leave = [scope(() => {}), scope(() => {}), scope(() => {})];
    await host.advance(500);
    expect(state.hub.stats().subscribers).toBe(1);
    leave[0]?.();
    leave[1]?.();
    expect(state.hub.stats().subscribers).toBe(1);
    leave[2]?.();
    expect([state.hub.stats().subscribers, host.pending(), system.listeners]).toEqual([0, 0, 0]);
  });

  it('begins every listener with a snapshot, also one that joins late', async () => {
    const { host, system, scope } = setUp();
    const [first, early] = collect();
    scope(early);
    await host.advance(500);
    const [second, late] = collect();
    scope(late);
    system.emit('ready', 'board/keys');
    await host.advance(500);
    system.emit('failed', 'board/keys', 'on purpose');
    expect(second.map(({ type }) => type)).toEqual(['snapshot', 'event']);
    expect(first.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it('grants credit as it consumes, so that frames never stop', async () => {
    const { host, system, scope, state } = setUp();
    const [frames, listen] = collect();
    scope(listen);
    await host.advance(500);
    for (let sent = 0; sent < 3 * LIMITS.scopeFrames; sent += 1) {
      system.emit('ready', 'board/keys');
      if (sent % 100 === 0) await host.advance(1);
    }
    expect(frames.filter(({ type }) => type === 'event')).toHaveLength(3 * LIMITS.scopeFrames);
    expect(state.hub.stats().skipped).toBe(0);
  });

  it('finds a restarted hub again by itself', async () => {
    const { host, system, scope, restartHub } = setUp();
    const [frames, listen] = collect();
    scope(listen);
    await host.advance(500);
    restartHub();
    await host.advance(2 * LIMITS.scopeRenewMs);
    system.emit('ready', 'board/keys');
    expect(frames.slice(-2)).toMatchObject([
      { type: 'snapshot', seq: 1 },
      { type: 'event', seq: 2 },
    ]);
  });

  it('tries again while the hub is down', async () => {
    const { host, scope, state } = setUp();
    state.down = true;
    const [frames, listen] = collect();
    scope(listen);
    await host.advance(5 * LIMITS.scopeRenewMs);
    expect(frames).toEqual([]);
    state.down = false;
    await host.advance(2 * LIMITS.scopeRenewMs);
    expect(frames.map(({ type }) => type)).toContain('snapshot');
  });

  it('is not forgotten by the hub while it listens, however quiet the board is', async () => {
    const { host, scope, state } = setUp();
    scope(() => {});
    await host.advance(10 * LIMITS.scopeLeaseMs);
    expect(state.hub.stats().subscribers).toBe(1);
    expect(state.asked.filter((type) => type === 'SCOPE_OPEN')).toHaveLength(1);
  });
});
