import { afterAll, describe, expect, it } from 'vitest';
import { fromArray } from '../../../src/streams/flow-sources.ts';
import { receiveFlow, sendFlow } from '../../../src/streams/link-port.ts';
import { host, webSocketLinks } from '../../support/flow-links.ts';
import { FlowProbe, quiet, until } from '../../support/flow-probe.ts';
import { creditContract } from './credit.ts';

creditContract(webSocketLinks());

describe('the bound of a WebSocket frame', () => {
  const kind = webSocketLinks(1_000);
  afterAll(() => kind.close());

  it('splits items over as many frames as they need', async () => {
    const { sender, receiver } = await kind.open();
    const items = Array.from({ length: 60 }, (_, n) => ({ n, text: 'ü'.repeat(n * 3) }));
    sendFlow(host, fromArray(items), sender);
    const probe = FlowProbe.on(receiveFlow<unknown>(receiver, { window: 100 }));
    probe.request(100);
    await until(() => probe.isOver);
    expect(probe.items).toEqual(items);
  });

  it.each([
    ['an item', 'x'.repeat(1_001)],
    ['a record', new Uint8Array(1_001)],
  ])('refuses %s that is too long for any', async (_name, long) => {
    const { sender, receiver } = await kind.open();
    sendFlow(host, fromArray<unknown>(['short', long]), sender);
    const probe = FlowProbe.on(receiveFlow<unknown>(receiver, { window: 100 }));
    probe.request(100);
    await until(() => probe.isOver);
    expect(probe.items).toEqual(['short']);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_ITEM_INVALID' });
  });

  it.each([
    ['text', 'x'.repeat(1_001)],
    ['bytes', new Uint8Array(1_001)],
    ['text that is no JSON', '{"items":['],
  ])('takes %s from outside for an error', async (_name, frame) => {
    const { receiver, sendRaw } = await kind.open();
    const probe = FlowProbe.on(receiveFlow<unknown>(receiver, { window: 100 }));
    await quiet();
    sendRaw(frame);
    await until(() => probe.isOver);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_FRAME_INVALID' });
  });
});
