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
