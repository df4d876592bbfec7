import { expect, it } from 'vitest';
import { createSystem, nodeHost, remote, supervisor } from '../../../src/index.ts';

const module = new URL('../../support/runtime/counter-module.ts', import.meta.url);

interface Report {
  readonly seen: number;
  readonly inversions: number;
}

it('messages between two workers keep their order while the way changes from through main to direct', async () => {
  const system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
  const worker = (id: string) => remote(id, { where: 'worker', module, input: {} });
  await system.start(supervisor('board', { children: [worker('from'), worker('to')] }));
  system.slot('board/from/streamer').send({ type: 'GO', to: 'board/to/order' });
  for (let round = 0; round < 4; round += 1) {
    // Each incarnation is first reached through main, where messages waited for it, and then directly.
    await system.command('board/to', 'restart', 'change the way');
    let report: Report = { seen: 0, inversions: 0 };
    while (report.seen < 5_000)
      report = await system.slot('board/to/order').ask<Report>({ type: 'REPORT' }, { timeout: 20_000 });
    expect(report.inversions).toBe(0);
  }
  await system.stop('test');
});
