import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ANON, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

let board: TestGate;
const heard: unknown[][] = [];
const path = `/p/${REF}/realtime/v1/api/broadcast`;

beforeAll(async () => {
  board = await startGate();
  board.gate.onBroadcast((...message) => void heard.push(message));
});
afterAll(() => board.gate.close());
beforeEach(() => {
  heard.length = 0;
});

const send = (where: string, body: unknown, apikey: string) => board.call('POST', where, body, { apikey });

describe('a private broadcast over HTTP', () => {
  const batch = {
    messages: [
      { topic: 'room', event: 'open', payload: 1 },
      { topic: 'room', event: 'secret', payload: 2, private: true },
    ],
  };

  it('is told from a public one of the same name', async () => {
    expect((await send(path, batch, SERVICE)).status).toBe(202);
    expect((await send(`${path}/room/events/one?private=true`, 3, SERVICE)).status).toBe(202);
    expect(heard).toEqual([
      [REF, 'room', 'open', '1'],
      [REF, 'room', 'secret', '2', { isPrivate: true }],
      [REF, 'room', 'one', '3', { isPrivate: true }],
    ]);
  });

  it('needs more than the anonymous key; of a batch that holds one nothing is sent', async () => {
    for (const [where, body] of [
      [path, batch],
      [`${path}/room/events/one?private=true`, 3],
    ] as const) {
      const reply = await send(where, body, ANON);
      expect([reply.status, await reply.json()]).toMatchObject([403, { code: 'MAG_CHANNEL_PRIVATE' }]);
    }
    expect(heard).toEqual([]);
  });
});
