import { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  assign,
  createActor,
  createMachine,
  fromCallback,
  fromObservable,
  fromPromise,
  setup,
  spawnChild,
} from 'xstate';
import { machine, supervisor } from '../../../src/index.ts';
import { bench, find } from '../../support/runtime/probe.ts';

const throws = (): never => {
  throw new Error('from the machine');
};

const on = { on: { GO: { target: 'bad' } } };

/** Every place inside a machine from which an error can come. */
const SOURCES = {
  'an action': setup({}).createMachine({
    initial: 'on',
    states: { on: { on: { GO: { actions: throws } } } },
  }),
  'an assign': setup({}).createMachine({
    initial: 'on',
    states: { on: { on: { GO: { actions: assign(throws) } } } },
  }),
  'a guard': setup({}).createMachine({
    initial: 'on',
    states: { on: { on: { GO: { guard: throws, target: 'bad' } } }, bad: {} },
  }),
  'an entry': setup({}).createMachine({ initial: 'on', states: { on, bad: { entry: throws } } }),
  'a rejected invoke': createMachine({
    initial: 'on',
    states: { on, bad: { invoke: { src: fromPromise(async () => throws()) } } },
  }),
  'an observable': createMachine({
    initial: 'on',
    states: {
      on,
      bad: {
        invoke: {
          src: fromObservable(() => new Observable((out) => out.error(new Error('from the machine')))),
        },
      },
    },
  }),
  'a callback actor': createMachine({
    initial: 'on',
    states: { on, bad: { invoke: { src: fromCallback(throws) } } },
  }),
};

describe('a machine actor', () => {
  it.each(Object.entries(SOURCES))(
    'fails as that actor when the error comes from %s, and is restarted',
    async (_where, logic) => {
      const b = bench();
      await b.start(supervisor('board', { children: [machine('m', logic)] }));
      b.system.slot('board/m').send({ type: 'GO' });
      await b.host.runUntilIdle();
      expect(find(await b.system.tree(), 'board/m')).toMatchObject({
        state: 'on',
        restarts: 1,
        status: 'running',
        lastError: expect.stringContaining('from the machine'),
      });
    },
  );

  it('answers asks through the reply function of its event', async () => {
    const b = bench();
    const logic = setup({
      types: { events: {} as { type: 'ASK'; reply: (value: unknown) => void } },
    }).createMachine({
      on: { ASK: { actions: ({ event }) => event.reply('answer') } },
    });
    await b.start(supervisor('board', { children: [machine('m', logic)] }));
    expect(await b.settle(b.system.slot('board/m').ask({ type: 'ASK' }))).toBe('answer');
  });

  it('is given an input that is made with its own context, for each incarnation', async () => {
    const b = bench();
    const logic = setup({
      types: {
        context: {} as { me: string },
        input: {} as { me: string },
        events: {} as { type: 'ASK'; reply?: (me: string) => void } | { type: 'BOOM' },
      },
    }).createMachine({
      context: ({ input }) => input,
      on: { ASK: { actions: ({ context, event }) => event.reply?.(context.me) }, BOOM: { actions: throws } },
    });
    await b.start(
      supervisor('board', {
        children: [machine('m', logic, { input: ({ self }) => ({ me: self.address }) })],
      }),
    );
    const first = b.system.lookup('board/m')?.address;
    expect(await b.settle(b.system.slot('board/m').ask({ type: 'ASK' }))).toBe(first);
    b.system.slot('board/m').send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    const second = await b.settle(b.system.slot('board/m').ask({ type: 'ASK' }));
    expect(second).not.toBe(first);
    expect(second).toBe(b.system.lookup('board/m')?.address);
  });

  it('whose state is carried over begins the delays of its states anew, and leaving them cancels these', async () => {
    const b = bench();
    const logic = setup({ delays: { long: 500, asked: () => 300 } }).createMachine({
      initial: 'idle',
      on: { BOOM: { actions: throws } },
      states: {
        idle: { on: { GO: 'waiting' } },
        waiting: { after: { long: 'late' }, on: { BACK: 'idle', NEXT: 'asking' } },
        asking: { after: { asked: 'done', 900: 'never' } },
        late: {},
        done: {},
        never: {},
      },
    });
    await b.start(
      supervisor('board', { children: [machine('m', logic, { state: { keep: 'last', version: 1 } })] }),
    );
    const slot = b.system.slot('board/m');
    const state = async () => find(await b.system.tree(), 'board/m').state;
    slot.send({ type: 'GO' });
    await b.host.advance(400);
    slot.send({ type: 'BOOM' });
    await b.host.advance(400);
    expect(await state()).toBe('waiting');
    await b.host.advance(101);
    expect(await state()).toBe('late');
    await b.settle(b.system.command('board/m', 'restart', 'again'));
    await b.host.advance(2_000);
    expect(await state()).toBe('late');
  });

  it.each([
    ['BACK', 'idle'],
    ['NEXT', 'done'],
  ])('carried over into a delay and sent %s ends in %s', async (type, end) => {
    const b = bench();
    const logic = setup({ delays: { asked: () => 300 } }).createMachine({
      initial: 'waiting',
      on: { BOOM: { actions: throws } },
      states: {
        idle: {},
        waiting: { after: { 500: 'late' }, on: { BACK: 'idle', NEXT: 'asking' } },
        asking: { after: { asked: 'done', 900: 'late' } },
        late: {},
        done: {},
      },
    });
    await b.start(
      supervisor('board', { children: [machine('m', logic, { state: { keep: 'last', version: 1 } })] }),
    );
    const slot = b.system.slot('board/m');
    for (const sent of ['BOOM', type, 'BOOM']) {
      slot.send({ type: sent });
      await b.host.runUntilIdle();
    }
    await b.host.advance(2_000);
    expect(find(await b.system.tree(), 'board/m').state).toBe(end);
  });

  it("runs its delays on the host's clock", async () => {
    const b = bench();
    const logic = setup({}).createMachine({
      initial: 'on',
      states: { on: { after: { 500: 'off' } }, off: {} },
    });
    await b.start(supervisor('board', { children: [machine('m', logic)] }));
    await b.host.advance(499);
    expect(find(await b.system.tree(), 'board/m').state).toBe('on');
    await b.host.advance(2);
    expect(find(await b.system.tree(), 'board/m').state).toBe('off');
  });

  it('is stopped with everything it spawned, also after it threw', async () => {
    const b = bench();
    const freed: string[] = [];
    const child = fromCallback(() => () => void freed.push('child'));
    const logic = setup({ actors: { child } }).createMachine({
      entry: spawnChild('child', { id: 'child' }),
      on: { GO: { actions: throws } },
    });
    await b.start(supervisor('board', { children: [machine('m', logic)] }));
    b.system.slot('board/m').send({ type: 'GO' });
    await b.host.runUntilIdle();
    expect(freed).toEqual(['child']);
    await b.settle(b.system.stop('test'));
    expect(freed).toEqual(['child', 'child']);
  });
});

describe("xstate's private seam", () => {
  it('lets a child be stopped without its parent through _stop', () => {
    const parent = createActor(setup({}).createMachine({})).start();
    const freed: string[] = [];
    const child = createActor(
      fromCallback(() => () => void freed.push('x')),
      { parent } as object,
    );
    child.start();
    expect(() => child.stop()).toThrow('non-root');
    (child as unknown as { _stop(): void })._stop();
    expect(freed).toEqual(['x']);
    expect(child.getSnapshot().status).toBe('stopped');
  });
});
