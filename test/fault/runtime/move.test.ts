import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ActorSystem,
  createSystem,
  type Down,
  MagError,
  nodeHost,
  remote,
  supervisor,
} from '../../../src/index.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Ledger, LedgerMessage, WriterMessage } from '../../support/runtime/ledger-module.ts';

const module = new URL('../../support/runtime/ledger-module.ts', import.meta.url);
const COUNT = 2_500;

describe('a subtree that moves to another worker', () => {
  let system: ActorSystem;
  let bad: string | undefined;
  /** What the worker that it moves to waits for. */
  let before: Promise<void> | undefined;

  beforeEach(async () => {
    bad = undefined;
    before = undefined;
    system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
    const home = remote('home', {
      where: 'worker',
      module,
      input: async () => {
        await before;
        return { writers: ['inside'], bad };
      },
    });
    await system.start(supervisor('board', { children: [home] }));
  });
  afterEach(() => system.stop('test'));

  /** Senders beside it: each start costs a second on a busy machine, so only where they are needed. */
  const besideIn = async (where: 'worker' | 'process', id: string, writers: string[]): Promise<void> => {
    await system.startChild('board', remote(id, { where, module, input: { writers } }));
  };

  /** Senders may have filled the mailbox: then it is asked again. */
  const read = async (): Promise<Ledger> => {
    const slot = system.slot<LedgerMessage>('board/home/ledger');
    for (;;) {
      try {
        return await slot.ask({ type: 'READ' }, { timeout: 20_000 });
      } catch (error) {
        if (!(error instanceof MagError) || error.code !== 'MAG_MAILBOX_FULL') throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };

  const write = (path: string, by: 'slot' | 'ref'): void => {
    const to = 'board/home/ledger';
    system.slot<WriterMessage>(path).send({ type: 'WRITE', to, count: COUNT, by });
  };

  /** Waits until all of them are in; the test's own timeout bounds it. */
  const settled = async (senders: readonly string[]): Promise<Ledger> => {
    for (;;) {
      const ledger = await read();
      if (senders.every((sender) => (ledger.senders[sender]?.count ?? 0) >= COUNT)) return ledger;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  /** Writes from here until `COUNT` are sent. */
  const writeHere = async (): Promise<void> => {
    const slot = system.slot<LedgerMessage>('board/home/ledger');
    for (let n = 0; n < COUNT; n += 1)
      while (slot.send({ type: 'ENTRY', sender: 'main', n }) !== 'sent')
        await new Promise((resolve) => setImmediate(resolve));
  };

  it('loses and repeats nothing, and keeps each order, while senders everywhere go on', async () => {
    await besideIn('worker', 'one', ['w1', 'w2']);
    await besideIn('process', 'two', ['w3']);
    const { thread: first } = await read();
    write('board/one/w1', 'slot');
    write('board/one/w2', 'ref');
    write('board/two/w3', 'slot');
    const here = writeHere();
    for (let move = 0; move < 2; move += 1) await system.move('board/home');
    await here;
    const { thread, senders } = await settled(['main', 'w1', 'w2', 'w3']);
    expect(thread).not.toBe(first);
    const exact = { count: COUNT, wrong: 0 };
    expect(senders).toEqual({ main: exact, w1: exact, w2: exact, w3: exact });
    expect(system.deadLetters().count).toBe(0);
  }, 120_000);

  it('keeps references, monitors and questions', async () => {
    const ref = system.lookup<LedgerMessage>('board/home/ledger');
    const downs: Down[] = [];
    ref?.monitor((down) => downs.push(down));
    await ref?.ask({ type: 'READ' });
    const { address } = ref ?? {};
    const slow = ref?.ask({ type: 'SLOWLY' });
    await system.move('board/home');
    expect(await slow).toBe('answered');
    expect(ref?.address).toBe(address);
    ref?.send({ type: 'ENTRY', sender: 'ref', n: 0 });
    expect((await ref?.ask({ type: 'READ' }))?.senders).toEqual({ ref: { count: 1, wrong: 0 } });
    expect(downs).toEqual([]);
    const down = new Promise<Down>((resolve) => ref?.monitor(resolve));
    ref?.send({ type: 'BOOM' });
    expect(await down).toMatchObject({ address, reason: { kind: 'error', error: { message: 'boom' } } });
    expect(ref?.send({ type: 'BOOM' })).toBe('dead');
  });

  it('stays where it is, and goes on, when the new worker cannot start it', async () => {
    await besideIn('worker', 'one', ['w1', 'w2']);
    const inside = system.slot<WriterMessage>('board/home/inside');
    for (const how of ['throw', 'exit']) {
      const { thread } = await read();
      inside.send({ type: 'WATCH', to: 'board/one/ledger', after: 800 });
      write('board/one/w1', 'slot');
      write('board/one/w2', 'ref');
      const here = writeHere();
      bad = how;
      await expect(system.move('board/home')).rejects.toMatchObject({ code: 'MAG_MOVE_FAILED' });
      bad = undefined;
      await here;
      const ledger = await settled(['main', 'w1', 'w2']);
      expect(ledger.thread).toBe(thread);
      const exact = { count: COUNT, wrong: 0 };
      expect(ledger.senders).toEqual({ main: exact, w1: exact, w2: exact });
      await expect.poll(() => inside.ask({ type: 'HEARD' }), { timeout: 10_000 }).toEqual(['answered']);
      await system.command('board/home', 'restart', 'an empty ledger');
    }
  }, 120_000);

  it('loses nothing of what another worker sends that comes up while it moves', async () => {
    await besideIn('worker', 'one', ['w1']);
    let goOn = (): void => {};
    before = new Promise((resolve) => {
      goOn = resolve;
    });
    const moved = system.move('board/home');
    await system.command('board/one', 'restart', 'it comes up meanwhile');
    write('board/one/w1', 'slot');
    // Longer than anybody waits for the way to it to be clear.
    setTimeout(goOn, LIMITS.treeTimeoutMs + 200);
    await moved;
    expect((await settled(['w1'])).senders).toEqual({ w1: { count: COUNT, wrong: 0 } });
  });

  it('is replaced like any other when its worker dies while it moves', async () => {
    const { thread } = await read();
    const moved = system.move('board/home').catch((error: unknown) => error);
    await system.command('board/home', 'crash', 'in the middle');
    expect(await moved).toMatchObject({ code: 'MAG_MOVE_FAILED' });
    const after = await read();
    expect(after.thread).not.toBe(thread);
    expect(after.senders).toEqual({});
    await system.move('board/home');
    expect((await read()).senders).toEqual({});
  });
});
