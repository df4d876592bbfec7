import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createScopeSocket, type ScopeSocket } from '../../src/actors/console/scope-socket.ts';
import { LIMITS } from '../../src/limits.ts';
import type { ActorNode, ScopeFrame } from '../../src/protocol/actor-node.ts';
import { nestTree } from '../../src/protocol/scope-tree.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { applyFrame, emptyModel } from '../../ui/src/tree-model.ts';
import { joinScope } from '../support/scope-rig.ts';
import { ScriptedSystem, sketchTree } from '../support/scripted-system.ts';

interface Rig {
  readonly system: ScriptedSystem;
  readonly hub: ReturnType<typeof joinScope>['hub'];
  readonly sockets: ScopeSocket;
  readonly server: Server;
  readonly url: string;
  connect(): WebSocket;
}

const clients = new Set<WebSocket>();
let rig: Rig;

async function start(tree: ActorNode): Promise<Rig> {
  const system = new ScriptedSystem(nodeHost(), tree);
  const { hub, scope } = joinScope(system);
  const sockets = createScopeSocket({ host: system.host, log: silentLog, scope });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`; // TCP servers have an AddressInfo
  const connect = (): WebSocket => {
    const client = new WebSocket(url);
    client.on('error', () => {});
    clients.add(client);
    return client;
  };
  return { system, hub, sockets, server, url, connect };
}

const frameOf = (data: unknown): ScopeFrame => JSON.parse(String(data));

/** Resolves with all frames so far once one satisfies the condition. */
function framesUntil(client: WebSocket, enough: (frame: ScopeFrame) => boolean): Promise<ScopeFrame[]> {
  const frames: ScopeFrame[] = [];
  return new Promise((done, fail) => {
    client.on('message', (data) => {
      frames.push(frameOf(data));
      if (enough(frameOf(data))) done(frames);
    });
    client.once('close', (code) => fail(new Error(`closed with ${code}`)));
  });
}

const closed = (client: WebSocket): Promise<number> => new Promise((done) => client.once('close', done));

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setTimeout(done, 10));
}

beforeEach(async () => {
  rig = await start(
    sketchTree([
      'board',
      'supervisor',
      {},
      [
        ['catalogue', 'component'],
        ['keys', 'component'],
      ],
    ]),
  );
});

afterEach(async () => {
  for (const client of clients) client.terminate();
  clients.clear();
  rig.hub.close();
  rig.server.closeAllConnections();
  await new Promise((done) => rig.server.close(done));
});

describe('MagScope over WebSocket', () => {
  it('shows a crash and the recovery, ending in the very tree the board has', async () => {
    const client = rig.connect();
    const seen = framesUntil(client, (frame) => frame.type === 'event' && frame.event.type === 'ready');
    await new Promise((done) => client.once('message', done));
    await rig.system.command('board/catalogue', 'crash', 'fire drill');
    const frames = await seen;
    const events = frames.flatMap((frame) => (frame.type === 'event' ? [frame.event.type] : []));
    expect(events).toEqual(['command', 'failed', 'backing_off', 'restarted', 'ready']);
    let model = emptyModel;
    const apply = (frame: ScopeFrame): void => {
      const applied = applyFrame(model, frame);
      expect(applied.gap).toBe(false);
      model = applied.model;
    };
    frames.forEach(apply);
    client.on('message', (data) => apply(frameOf(data)));
    const tree = await rig.system.tree();
    await eventually(() => JSON.stringify(nestTree(model.tree)) === JSON.stringify(tree));
    expect(model.tree.nodes.get('board/catalogue')).toMatchObject({ restarts: 1, status: 'running' });
  });

  it('looks at the tree only while a socket is open', async () => {
    const first = rig.connect();
    const second = rig.connect();
    await Promise.all([first, second].map((client) => new Promise((done) => client.once('message', done))));
    expect(rig.hub.stats().subscribers).toBe(1);
    first.close();
    second.close();
    await eventually(() => rig.hub.stats().subscribers === 0);
    expect([rig.sockets.sockets(), rig.system.listeners]).toEqual([0, 0]);
  });

  it('closes a consumer that does not read with 3008, and goes on serving the others', async () => {
    const stalled = rig.connect();
    const reading = rig.connect();
    await Promise.all(
      [stalled, reading].map((client) => new Promise((done) => client.once('message', done))),
    );
    stalled.pause();
    const code = closed(stalled);
    const filler = 'x'.repeat(64 * 1024);
    let got = 0;
    reading.on('message', () => {
      got += 1;
    });
    // Paced by the reader, so that only the one that does not read falls behind; kernels buffer some megabytes.
    for (let sent = 0; sent * filler.length < 6 * LIMITS.outboxBytes; sent += 1) {
      const before = got;
      rig.system.emit('failed', 'board/keys', filler);
      if (sent % 8 === 0) await eventually(() => got > before);
    }
    stalled.resume();
    expect(await code).toBe(3008);
    expect(reading.readyState).toBe(WebSocket.OPEN);
  });

  it('ignores what a client says, and closes one that sends too much', async () => {
    const client = rig.connect();
    await new Promise((done) => client.once('message', done));
    client.send('not JSON at all');
    client.send(Buffer.alloc(2_048));
    expect(await closed(client)).toBe(1009);
  });

  it('turns the inspector over the limit away with 1013', async () => {
    const open = Array.from({ length: LIMITS.scopeSockets }, () => rig.connect());
    await Promise.all(open.map((client) => new Promise((done) => client.once('message', done))));
    expect(await closed(rig.connect())).toBe(1013);
  });

  it('closes its sockets with 1001 when the board drains', async () => {
    const client = rig.connect();
    await new Promise((done) => client.once('message', done));
    rig.sockets.close();
    expect(await closed(client)).toBe(1001);
  });

  it('keeps 1,000 actors in step', async () => {
    const many = sketchTree([
      'board',
      'supervisor',
      {},
      Array.from({ length: 1_000 }, (_, index) => [`actor-${index}`, 'actor'] as const),
    ]);
    const big = await start(many);
    const client = new WebSocket(big.url);
    clients.add(client);
    let model = emptyModel;
    client.on('message', (data) => {
      model = applyFrame(model, frameOf(data)).model;
    });
    await eventually(() => model.tree.nodes.size === 1_001);
    for (const child of big.system.root.children) child.handled = 7;
    await eventually(
      () => [...model.tree.nodes.values()].filter(({ handled }) => handled === 7).length === 1_000,
    );
    client.terminate();
    big.hub.close();
    await new Promise((done) => big.server.close(done));
  });
});
