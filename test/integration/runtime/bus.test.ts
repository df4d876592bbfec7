import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Bus, bus, createSystem, silentLog, supervisor } from '../../../src/index.ts';
import { until } from '../../support/bus-inbox.ts';
import { testFolder } from '../../support/temporary-folder.ts';

const TOPICS = {
  orders: {
    schema: (value: unknown) => {
      if (typeof value !== 'object' || value === null || !('total' in value)) throw new Error('no total');
      return { total: Number(value.total) };
    },
  },
} as const;
type OrderBus = Bus<typeof TOPICS>;

async function started(folder: string) {
  const system = createSystem({ log: silentLog });
  onTestFinished(() => system.stop('the test is over'));
  await system.start(
    supervisor('app', { children: [bus('bus', { folder, topics: TOPICS, restart: 'permanent' })] }),
  );
  return system;
}

describe('a supervised bus', () => {
  it('is offered while it runs, and goes on where it was when it is restarted', async () => {
    const system = await started(testFolder());
    const before = system.service<OrderBus>('bus');
    const ends: unknown[] = [];
    const totals: number[] = [];
    before.consume('orders', { consumer: 'sum', onEnd: (error) => ends.push(error) }, ({ total }) => {
      totals.push(total);
    });
    for (const total of [1, 2]) await before.publish('orders', { total });
    await until(() => totals.length === 2);
    await system.supervisor('app').terminateChild('bus');
    await system.supervisor('app').restartChild('bus');
    expect(ends).toEqual([null]);
    await expect(before.publish('orders', { total: 3 })).rejects.toMatchObject({
      code: 'MAG_LOG_FAILED',
    });
    const after = system.service<OrderBus>('bus');
    after.consume('orders', { consumer: 'sum' }, ({ total }) => void totals.push(total));
    await after.publish('orders', { total: 3 });
    await until(() => totals.length >= 3);
    expect(totals).toHaveLength(3);
  });

  it('does not start on damaged logs, and says where the damage is', async () => {
    const folder = testFolder();
    const system = await started(folder);
    const api = system.service<OrderBus>('bus');
    for (const total of [1, 2, 3]) await api.publish('orders', { total });
    await system.stop('closing');
    const file = join(folder, 'orders', 'events', '0000000000000000.log');
    writeFileSync(file, 'x', { flag: 'r+' });
    await expect(started(folder)).rejects.toMatchObject({ message: expect.stringContaining('damaged') });
  });
});
