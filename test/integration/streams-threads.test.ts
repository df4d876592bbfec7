import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { receiveFlow, receiveRecords } from '../../src/streams/link-port.ts';
import { FlowProbe, until } from '../support/flow-probe.ts';

/** A thread that sends so many numbers, as themselves or as records of four bytes. */
async function sendingThread(count: number, kind: 'items' | 'records') {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('../support/flow-thread-child.ts', import.meta.url), {
    workerData: { port: port2, count, kind },
    transferList: [port2],
  });
  return { worker, port: port1 };
}

describe('a flow from another thread', () => {
  it('arrives whole and in order, items and records', async () => {
    const items = await sendingThread(20_000, 'items');
    const numbers: number[] = [];
    for await (const n of receiveFlow<number>(items.port, { window: 512 })) numbers.push(n);
    expect(numbers).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
    const records = await sendingThread(20_000, 'records');
    let at = 0;
    for await (const batch of receiveRecords(records.port, { window: 512 })) {
      for (const record of batch) {
        expect(new DataView(record.buffer, record.byteOffset, record.byteLength).getUint32(0)).toBe(at);
        at += 1;
      }
    }
    expect(at).toBe(20_000);
    for (const { worker, port } of [items, records]) {
      port.close();
      await worker.terminate();
    }
  });

  it('is MAG_LINK_CLOSED when the thread dies, after what it had sent', async () => {
    const { worker, port } = await sendingThread(1_000_000, 'items');
    const probe = FlowProbe.on(receiveFlow<number>(port, { window: 64 }));
    probe.request(10);
    await until(() => probe.items.length === 10);
    const exited = once(worker, 'exit');
    await worker.terminate();
    await exited;
    probe.request(1_000);
    await until(() => probe.isOver);
    expect(probe.reason).toMatchObject({ code: 'MAG_LINK_CLOSED' });
    expect(probe.items).toEqual(Array.from(probe.items, (_, n) => n));
  });
});
