import { describe, expect, it } from 'vitest';
import { EdgeNews } from '../../src/board/edge-news.ts';
import { mindEdges } from '../../src/board/edges.ts';
import type { LifecycleEvent } from '../../src/protocol/actor-node.ts';
import type { BoardStatus } from '../../src/protocol/board-status.ts';
import { createSystem } from '../../src/runtime/create-system.ts';
import type { Message } from '../../src/runtime/spec.ts';
import type { ActorSystem, Slot } from '../../src/runtime/system.ts';
import { virtualHost } from '../../src/testing/virtual-host.ts';

const READY: BoardStatus = { status: 'ready', stage: 'ready', components: [] };

/** A system with edge workers that note what they are told; those in `deaf` do not answer. */
function edges(...mounts: string[]) {
  const host = virtualHost(1);
  const told: string[] = [];
  const deaf = new Set<string>();
  const listeners: ((event: LifecycleEvent) => void)[] = [];
  const note = (path: string, message: Message): void =>
    void told.push(
      [path, message.type, message.ref ?? message.owner ?? message.path].filter(Boolean).join(' '),
    );
  const slot = (path: string): Slot => ({
    path,
    send: (message) => {
      note(path, message);
      return 'sent';
    },
    sendBytes: () => 'sent',
    offer: async () => 'sent',
    ask: async <Reply>(message: Message): Promise<Reply> => {
      if (deaf.has(path)) throw new Error('no answer');
      note(path, message);
      return null as Reply; // these answers are not looked at
    },
  });
  const real = createSystem({ node: 'main', host });
  const system: ActorSystem = Object.assign(Object.create(real), {
    mounts: () => mounts,
    slot,
    onLifecycle: (listener: (event: LifecycleEvent) => void) => {
      listeners.push(listener);
      return () => {};
    },
  });
  const news = new EdgeNews({ system, host, status: () => READY });
  const happen = (type: LifecycleEvent['type'], path: string): void => {
    for (const listener of listeners) listener({ type, path, reason: null, delay: null });
  };
  return { host, news, told, deaf, system, happen };
}

describe('what edge workers must hear', () => {
  it('goes to each of them, and to no other worker', () => {
    const { news, told } = edges('board/edges/edge-1', 'board/feed', 'board/edges/edge-2');
    news.tellProjectChanged('shop');
    news.tellStatus();
    expect(told).toEqual([
      'board/edges/edge-1/uplink PROJECT_CHANGED shop',
      'board/edges/edge-2/uplink PROJECT_CHANGED shop',
      'board/edges/edge-1/uplink STATUS',
      'board/edges/edge-2/uplink STATUS',
    ]);
  });

  it('is told again, as a whole, to one that did not answer', async () => {
    const { host, news, told, deaf } = edges('board/edges/edge-1');
    deaf.add('board/edges/edge-1/uplink');
    news.tellProjectChanged('shop');
    news.tellProjectChanged('blog');
    await host.advance(2_000);
    expect(told).toEqual([]);
    deaf.clear();
    await host.advance(2_000);
    expect(told).toEqual(['board/edges/edge-1/uplink STATUS', 'board/edges/edge-1/uplink PROJECTS_UNHEARD']);
  });

  it('is not told for ever to one that is gone, nor after the end', async () => {
    const { host, news, told, deaf, system } = edges('board/edges/edge-1');
    deaf.add('board/edges/edge-1/uplink');
    news.tellStatus();
    await host.runUntilIdle();
    Object.assign(system, { mounts: () => [] });
    deaf.clear();
    await host.advance(5_000);
    expect(told).toEqual([]);
    Object.assign(system, { mounts: () => ['board/edges/edge-1'] });
    deaf.add('board/edges/edge-1/uplink');
    news.tellStatus();
    await host.runUntilIdle();
    news.stop();
    news.tellStatus();
    await host.runUntilIdle();
    deaf.clear();
    await host.advance(5_000);
    expect(told).toEqual([]);
  });
});

describe('an edge worker', () => {
  it('that comes up hears what it may have missed while it started', () => {
    const { news, told, system, happen } = edges('board/edges/edge-1');
    mindEdges(system, news);
    happen('ready', 'board/edges/edge-1/gate');
    expect(told).toEqual([]);
    happen('ready', 'board/edges/edge-1');
    expect(told).toEqual(['board/edges/edge-1/uplink STATUS', 'board/edges/edge-1/uplink PROJECTS_UNHEARD']);
  });

  it.each(['failed', 'stopped'] as const)('that %s gives back its leases, permits and follows', (type) => {
    const { news, told, system, happen } = edges();
    mindEdges(system, news);
    happen(type, 'board/edges/edge-1/sessions');
    expect(told).toEqual([]);
    happen(type, 'board/edges/edge-1');
    expect(told).toEqual([
      'board/storage/owner EDGE_GONE edge-1',
      'board/permits EDGE_GONE edge-1',
      'board/feed FOLLOWER_GONE board/edges/edge-1',
    ]);
  });

  it('is told when the feed is back', () => {
    const { news, told, system, happen } = edges('board/edges/edge-1', 'board/feed');
    mindEdges(system, news);
    happen('ready', 'board/feed');
    expect(told).toEqual(['board/edges/edge-1/uplink FEED_UP']);
  });
});
