import { createSystem, nodeHost, remote, supervisor } from '../../src/index.ts';

const module = new URL('../support/runtime/counter-module.ts', import.meta.url);

export interface WorkerLoop {
  readonly crashes: number;
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

/** Handles that keep the process alive, counted by their kind. */
function resources(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Two workers and a process that die over and over until the time is over, and answer in between. */
export async function crashWorkers(until: () => boolean): Promise<WorkerLoop> {
  const system = createSystem({ node: 'soak', host: nodeHost(), pid: process.pid });
  await system.start(
    supervisor('board', {
      intensity: { max: 1_000, within: 0.001 },
      children: [
        remote('spared', { where: 'worker', module, input: { from: 1 }, pool: 'spared', spare: true }),
        remote('bare', { where: 'worker', module, input: { from: 1 } }),
        remote('process', { where: 'process', module, input: { from: 1 } }),
      ],
    }),
  );
  const deaths = ['EXIT', 'THROW', 'REJECT'];
  let crashes = 0;
  const crash = async (mount: string): Promise<void> => {
    const down = new Promise<unknown>((resolve) => system.lookup(mount)?.monitor(resolve));
    system.slot(`${mount}/mortal`).send({ type: deaths[crashes % deaths.length] ?? 'EXIT' });
    await down;
    const count = await system.slot(`${mount}/counter`).ask<number>({ type: 'GET' }, { timeout: 30_000 });
    if (count !== 1) throw new Error(`${mount} came back with ${count}`);
    crashes += 1;
  };
  const mounts = ['board/spared', 'board/bare', 'board/process'];
  await Promise.all(mounts.map(crash));
  const before = resources();
  const repeat = async (mount: string): Promise<void> => {
    do await crash(mount);
    while (!until());
  };
  await Promise.all(mounts.map(repeat));
  const after = resources();
  await system.stop('soak');
  return { crashes, before, after };
}
