import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { LIMITS } from '../../src/limits.ts';
import { map } from '../../src/streams/flow-operators.ts';
import { receiveFlow, sendFlow } from '../../src/streams/link-port.ts';
import { webSocketLink } from '../../src/streams/link-websocket.ts';
import { host, portLinks, webSocketLinks } from '../support/flow-links.ts';
import { FlowProbe, quiet, until } from '../support/flow-probe.ts';
import { counting } from '../support/flow-subjects.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What is held after a collection. */
const held = (): number => {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const kinds = [portLinks(), webSocketLinks()];
afterAll(async () => {
  for (const kind of kinds) await kind.close();
});

describe.each(kinds.map((kind) => [kind.name, kind] as const))('over %s', (_name, kind) => {
  // The items that the probe keeps are its own: a thousand and a half kilobytes of text.
  it('a consumer a thousand times slower than the source leaves memory flat', async () => {
    const { sender, receiver } = await kind.open();
    const window = 256;
    let emitted = 0;
    let ahead = 0;
    const texts = counting(1_000_000).pipe(
      map((n) => {
        emitted += 1;
        ahead = Math.max(ahead, emitted - probe.items.length);
        return `${n} ${'x'.repeat(1_000)}`;
      }),
    );
    sendFlow(host, texts, sender);
    const probe = FlowProbe.on(receiveFlow<string>(receiver, { window }));
    let turns = 0;
    const before = held();
    let most = 0;
    // One item every few turns; the source would have emitted thousands in each of them.
    while (probe.items.length < 1_500) {
      if (turns % 3 === 0) probe.request(1);
      turns += 1;
      await quiet(1);
      if (turns % 500 === 0) most = Math.max(most, held() - before);
    }
    expect(ahead).toBeLessThanOrEqual(window);
    expect(most).toBeLessThan(4 * 1024 * 1024);
    probe.cancel();
  });
});

describe('a WebSocket whose peer grants much and reads nothing', () => {
  it('stops the flow when so many bytes wait to be sent, and goes on when they are', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
    const [accepted] = (await once(server, 'connection')) as [WebSocket];
    if (client.readyState !== WebSocket.OPEN) await once(client, 'open');
    let emitted = 0;
    let mostBuffered = 0;
    const texts = counting(40_000).pipe(
      map((n) => {
        emitted += 1;
        mostBuffered = Math.max(mostBuffered, accepted.bufferedAmount);
        return `${n} ${'x'.repeat(4_096)}`;
      }),
    );
    let received = 0;
    let isWhole = false;
    client.on('message', (data) => {
      const frame = JSON.parse(String(data)) as { items?: unknown[]; complete?: true };
      received += frame.items?.length ?? 0;
      isWhole = frame.complete === true;
    });
    client.pause();
    client.send(JSON.stringify({ upTo: LIMITS.linkCreditItems }));
    sendFlow(host, texts, webSocketLink(accepted));
    await until(() => emitted > 0);
    let before = -1;
    while (before !== emitted) {
      before = emitted;
      await quiet(50);
    }
    expect(emitted).toBeLessThan(40_000);
    // What was asked for before the bound was met still comes: a batch or two.
    expect(mostBuffered).toBeLessThan(LIMITS.linkSocketBytes + 3 * LIMITS.linkBatchItems * 4_200);
    client.resume();
    await until(() => isWhole);
    expect(received).toBe(40_000);
    client.terminate();
    server.close();
  });
});
