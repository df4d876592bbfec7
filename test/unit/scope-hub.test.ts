import { describe, expect, it } from 'vitest';
import { createScopeHub } from '../../src/actors/console/scope-hub.ts';
import { LIMITS } from '../../src/limits.ts';
import type { ScopeFrame } from '../../src/protocol/actor-node.ts';
import type { SendResult } from '../../src/runtime/system.ts';
import { countingHost } from '../support/counting-host.ts';
import { ScriptedSystem, sketchTree } from '../support/scripted-system.ts';

const EDGE = 'board/edges/edge-1/uplink';

function setUp() {
  const host = countingHost();
  const system = new ScriptedSystem(
    host,
    sketchTree([
      'board',
      'supervisor',
      {},
      [
        ['keys', 'component'],
        ['feed', 'component'],
      ],
    ]),
  );
  const frames: ScopeFrame[] = [];
  let result: SendResult = 'sent';
  const hub = createScopeHub({
    system,
    send: (_path, message) => {
      if (result === 'sent') frames.push(message.frame);
      return result;
    },
  });
  const open = (id = 'one', path = EDGE) => hub.handle({ type: 'SCOPE_OPEN', path, id });
  const credit = (count: number, refresh = false, id = 'one') =>
    hub.handle({ type: 'SCOPE_CREDIT', path: EDGE, id, frames: count, refresh });
  const answerWith = (next: SendResult): void => {
    result = next;
  };
  return { host, system, hub, frames, open, credit, answerWith };
}

const types = (frames: readonly ScopeFrame[]): readonly string[] => frames.map((frame) => frame.type);

describe('the scope hub', () => {
  it('costs nothing while nobody looks', async () => {
    const { host, system, hub, open } = setUp();
    await host.advance(5_000);
    expect([host.pending(), system.looks, system.listeners]).toEqual([0, 0, 0]);
    open();
    await host.advance(1_000);
    expect(system.looks).toBeGreaterThan(1);
    hub.handle({ type: 'SCOPE_CLOSE', path: EDGE, id: 'one' });
    const looks = system.looks;
    await host.advance(5_000);
    expect([host.pending(), system.looks, system.listeners]).toEqual([0, looks, 0]);
  });

  it('sends a snapshot first, then only what changed, numbered without a gap', async () => {
    const { host, system, frames, open } = setUp();
    open();
    await host.advance(1_000);
    expect(types(frames)).toEqual(['snapshot']);
    const keys = system.find('board/keys');
    if (keys !== undefined) keys.restarts = 1;
    await host.advance(1_000);
    system.root.children.pop();
    await host.advance(1_000);
    expect(frames.slice(1)).toMatchObject([
      { type: 'delta', seq: 2, upsert: [{ path: 'board/keys', restarts: 1 }], gone: [] },
      { type: 'delta', seq: 3, upsert: [], gone: ['board/feed'] },
    ]);
    expect(frames[1]).not.toHaveProperty('upsert.0.children');
  });

  it('sends lifecycle events at once, between two looks', async () => {
    const { host, system, frames, open } = setUp();
    open();
    await host.advance(10);
    system.emit('backing_off', 'board/keys', null, 120);
    expect(frames.at(-1)).toMatchObject({
      type: 'event',
      seq: 2,
      event: { type: 'backing_off', delay: 120 },
    });
  });

  it('sends a whole snapshot where children changed their order', async () => {
    const { host, system, frames, open } = setUp();
    open();
    await host.advance(10);
    system.root.children.reverse();
    await host.advance(500);
    expect(types(frames)).toEqual(['snapshot', 'snapshot']);
  });

  it('holds no backlog for a slow subscriber: it misses frames and starts over from a snapshot', async () => {
    const { host, system, hub, frames, open, credit } = setUp();
    open();
    await host.advance(10);
    for (let sent = 0; sent < LIMITS.scopeFrames + 500; sent += 1) system.emit('ready', 'board/keys');
    expect(frames).toHaveLength(LIMITS.scopeFrames);
    await host.advance(1_000);
    expect(frames).toHaveLength(LIMITS.scopeFrames);
    expect(hub.stats().skipped).toBeGreaterThan(0);
    credit(LIMITS.scopeFrames);
    await host.advance(1_000);
    expect(frames.at(-1)).toMatchObject({ type: 'snapshot', seq: LIMITS.scopeFrames + 1 });
    system.emit('ready', 'board/keys');
    expect(frames.at(-1)?.type).toBe('event');
  });

  it('gives a fresh snapshot on request', async () => {
    const { host, frames, open, credit } = setUp();
    open();
    await host.advance(10);
    credit(1, true);
    await host.advance(10);
    expect(types(frames)).toEqual(['snapshot', 'snapshot']);
  });

  it('replaces an upstream of the same path, and no longer knows the old one', async () => {
    const { host, hub, frames, open, credit } = setUp();
    open('one');
    await host.advance(10);
    open('two');
    await host.advance(10);
    expect(hub.stats().subscribers).toBe(1);
    expect(frames.map(({ seq }) => seq)).toEqual([1, 1]);
    expect(credit(1, false, 'one')).toEqual({ known: false });
    expect(credit(1, false, 'two')).toEqual({ known: true });
  });

  it('forgets an edge that is dead, or was not heard of within its lease', async () => {
    const { host, system, hub, open, answerWith } = setUp();
    open();
    await host.advance(LIMITS.scopeLeaseMs + 1_000);
    expect([hub.stats().subscribers, host.pending(), system.listeners]).toEqual([0, 0, 0]);
    answerWith('dead');
    open();
    await host.advance(10);
    expect([hub.stats().subscribers, host.pending(), system.listeners]).toEqual([0, 0, 0]);
  });

  it('keeps looking after a look that failed', async () => {
    const { host, system, frames, open } = setUp();
    const tree = system.tree.bind(system);
    let failures = 0;
    system.tree = () => {
      failures += 1;
      return failures < 3 ? Promise.reject(new Error('no answer')) : tree();
    };
    open();
    await host.advance(2_000);
    expect(types(frames)).toEqual(['snapshot']);
  });

  it('never has two looks under way at once', async () => {
    const { host, system, open } = setUp();
    let under = 0;
    let most = 0;
    const tree = system.tree.bind(system);
    system.tree = async () => {
      under += 1;
      most = Math.max(most, under);
      await new Promise<void>((done) => host.setTimer(900, done));
      under -= 1;
      return tree();
    };
    open();
    for (let round = 0; round < 30; round += 1) {
      system.emit('ready', 'board/keys');
      await host.advance(100);
    }
    expect(most).toBe(1);
  });

  it('does not answer what is none of its messages', () => {
    const { hub } = setUp();
    expect(hub.handle({ type: 'PROJECT_LIST' })).toBeUndefined();
    expect(hub.handle({ type: 'SCOPE_OPEN' })).toBeUndefined();
  });
});
