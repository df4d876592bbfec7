import { expect, it } from 'vitest';
import {
  type ActorSystem,
  createSystem,
  MagError,
  nodeHost,
  remote,
  supervisor,
} from '../../../src/index.ts';

const module = new URL('../../support/runtime/counter-module.ts', import.meta.url);

interface Report {
  readonly seen: number;
  readonly inversions: number;
}

const NONE: Report = { seen: 0, inversions: 0 };

/** The streamer may have filled the mailbox, at which a question does not wait: nothing is known then. */
async function reportOf(system: ActorSystem): Promise<Report> {
  try {
    return await system.slot('board/to/order').ask<Report>({ type: 'REPORT' }, { timeout: 20_000 });
  } catch (error) {
    if (!(error instanceof MagError) || error.code !== 'MAG_MAILBOX_FULL') throw error;
    await new Promise((resolve) => setImmediate(resolve));
    return NONE;
  }
}

it('messages between two workers keep their order while the way changes from through main to direct', async () => {
  const system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
  const worker = (id: string) => remote(id, { where: 'worker', module, input: {} });
  await system.start(supervisor('board', { children: [worker('from'), worker('to')] }));
  system.slot('board/from/streamer').send({ type: 'GO', to: 'board/to/order' });
  for (let round = 0; round < 4; round += 1) {
    // Each incarnation is first reached through main, where messages waited for it, and then directly.
    await system.command('board/to', 'restart', 'change the way');
    let report = NONE;
    while (report.seen < 5_000) report = await reportOf(system);
    expect(report.inversions).toBe(0);
  }
  await system.stop('test');
});
