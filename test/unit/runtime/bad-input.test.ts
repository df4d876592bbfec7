import { describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import {
  type ChildSpec,
  component,
  type DownMessage,
  light,
  machine,
  remote,
  supervisor,
} from '../../../src/index.ts';
import { bench, find, probe } from '../../support/runtime/probe.ts';

/** What a caller without types can do. */
const anything = (value: unknown): never => value as never;

describe('what is no message', () => {
  it.each([null, undefined, 3, 'text'])('is refused at the sender: %s', async (wrong) => {
    const b = bench();
    await b.start(supervisor('board', { children: [probe('a')] }));
    const ref = b.system.lookup('board/a')!;
    for (const to of [ref, b.system.slot('board/a'), b.system.slot('board/none')])
      expect(() => to.send(anything(wrong))).toThrow(
        expect.objectContaining({ code: 'MAG_MESSAGE_INVALID' }),
      );
    await expect(ref.ask(anything(wrong))).rejects.toMatchObject({ code: 'MAG_MESSAGE_INVALID' });
    await expect(ref.offer(anything(wrong))).rejects.toMatchObject({ code: 'MAG_MESSAGE_INVALID' });
    expect(await b.settle(ref.ask({ type: 'GET' }))).toBe(0);
  });

  it.each([{}, { type: 5 }, []])(
    'does not crash a machine that it reaches without a type: %j',
    async (wrong) => {
      const b = bench();
      const idle = createMachine({ on: { GET: { actions: ({ event }) => event.reply?.('here') } } });
      await b.start(supervisor('board', { children: [machine('a', idle)] }));
      const ref = b.system.lookup('board/a')!;
      ref.send(anything(wrong));
      await expect(b.settle(ref.ask(anything(wrong)))).rejects.toMatchObject({ code: 'MAG_MESSAGE_INVALID' });
      expect(b.system.deadLetters()).toMatchObject({
        count: 2,
        recent: [{ reason: 'MAG_MESSAGE_INVALID' }, {}],
      });
      expect(await b.settle(ref.ask({ type: 'GET' }))).toBe('here');
    },
  );

  it('an ask that throws on its way rejects, and leaves nothing that rejects later', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [probe('a')] }));
    const trap = new Proxy(
      { type: 'GET' },
      {
        ownKeys: () => {
          throw new Error('a trap');
        },
      },
    );
    b.system
      .slot('board/a')
      .ask(trap)
      .catch(() => {});
    await expect(b.system.slot(anything(null)).ask({ type: 'GET' })).rejects.toThrow();
    await b.host.advance(20_000);
  });
});

describe('a light actor whose function is async', () => {
  it('crashes with a reason that says so, and leaves no rejection behind', async () => {
    const b = bench();
    const late = light('late', {
      init: () => 0,
      receive: anything(async () => {
        throw new Error('nobody hears this');
      }),
    });
    await b.start(supervisor('board', { children: [late] }));
    b.system.slot('board/late').send({ type: 'X' });
    await b.host.runUntilIdle();
    expect(find(await b.system.tree(), 'board/late')).toMatchObject({
      restarts: 1,
      lastError: expect.stringContaining('gave a promise'),
    });
  });
});

describe('a specification that makes no sense', () => {
  const plain = { init: () => 0, receive: (n: number) => n };
  const WRONG: readonly (readonly [field: string, spec: ChildSpec])[] = [
    ['name', light('a', plain, anything({ name: '' }))],
    ['groups', light('a', plain, anything({ groups: 'every letter' }))],
    ['trapExit', light('a', plain, anything({ trapExit: 'yes' }))],
    ['state', light('a', plain, anything({ state: 'last' }))],
    ['state.keep', light('a', plain, anything({ state: { keep: 'all', version: 1 } }))],
    ['state.version', light('a', plain, anything({ state: { keep: 'last', version: Number.NaN } }))],
    ['state.valid', light('a', plain, { state: { keep: 'last_valid', version: 1 } })],
    ['mailbox', light('a', plain, anything({ mailbox: null }))],
    ['behaviour.module', remote('a', { where: 'worker', module: './relative.ts' })],
    ['behaviour.where', remote('a', anything({ where: 'cloud', module: 'file:///a.ts' }))],
    ['id', light('', plain)],
  ];

  it.each(WRONG)('is refused by its field %s, as a child and as a root', async (field, spec) => {
    const b = bench();
    await b.start(supervisor('board', { children: [] }));
    const refused = { code: 'MAG_CHILD_SPEC_INVALID', details: field };
    await expect(b.system.startChild('board', spec)).rejects.toMatchObject(refused);
    await expect(b.system.start(spec)).rejects.toMatchObject(refused);
  });

  it('a component whose start gives nothing fails to start', async () => {
    const b = bench();
    const empty = component(
      'empty',
      anything(() => undefined),
    );
    await expect(b.settle(b.system.start(empty))).rejects.toMatchObject({ code: 'MAG_COMPONENT_INVALID' });
  });
});

describe('a system that stops', () => {
  it('starts nothing any more, and stops once however often it is told', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [probe('a')] }));
    const stopped = b.system.stop('first');
    await expect(b.system.start(probe('late'))).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE' });
    await b.settle(Promise.all([stopped, b.system.stop('second')]));
    expect(b.system.lookup('late')).toBeUndefined();
  });

  it('does not wait for ever for a root that hangs', async () => {
    const b = bench();
    await b.start(component('hangs', () => ({ stop: () => new Promise<void>(() => {}) })));
    const stopped = b.system.stop('test');
    await b.host.advance(60_000);
    await stopped;
  });
});

describe('a monitor that throws', () => {
  it('keeps nobody else from being told, also where its actor is gone already', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [probe('a')] }));
    const ref = b.system.lookup('board/a')!;
    const told: string[] = [];
    const throws = (): never => {
      throw new Error('in the monitor');
    };
    for (const when of ['alive', 'gone']) {
      ref.monitor(throws);
      ref.monitor(({ reason }) => told.push(`${when}: ${reason.kind}`));
      ref.send({ type: 'BOOM' });
      await b.host.runUntilIdle();
    }
    expect(told).toEqual(['alive: error', 'gone: error']);
  });
});

describe('an actor that watches another one', () => {
  it('is told by a message, once, and watches no longer than it lives', async () => {
    const b = bench();
    const told: string[] = [];
    const watcher = light('watcher', {
      init: (_input: undefined, context) => {
        const ref = context.system.lookup('board/a');
        if (ref !== undefined) context.watch(ref);
        return null;
      },
      receive: (state: null, message: DownMessage | { type: 'BOOM' }) => {
        if (message.type === 'BOOM') throw new Error('the watcher broke');
        told.push(message.reason.kind);
        return state;
      },
    });
    await b.start(supervisor('board', { children: [probe('a'), watcher] }));
    for (let n = 0; n < 3; n += 1) {
      b.system.slot('board/watcher').send({ type: 'BOOM' });
      await b.host.runUntilIdle();
    }
    b.system.slot('board/a').send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(told).toEqual(['error']);
    expect(b.system.deadLetters().count).toBe(0);
  });
});

describe('what components offer', () => {
  it('is found again when another one of the same id has gone', async () => {
    const b = bench();
    const offers = (v: number) => component('svc', () => ({ api: { v } }));
    const branch = (id: string, v: number) => supervisor(id, { children: [offers(v)] });
    await b.start(supervisor('board', { children: [branch('a', 1), branch('b', 2)] }));
    expect(b.system.service<{ v: number }>('svc').v).toBe(2);
    await b.settle(b.system.stopChild('board/b', 'svc'));
    expect(b.system.service<{ v: number }>('svc').v).toBe(1);
    await b.settle(b.system.stopChild('board/a', 'svc'));
    expect(() => b.system.service('svc')).toThrow();
  });
});

describe('a reference', () => {
  it('takes no monitor that is no function, no link to what is no reference, and no unknown command', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [probe('a')] }));
    const ref = b.system.lookup('board/a')!;
    expect(() => ref.monitor(anything(null))).toThrow(TypeError);
    expect(() => ref.link(anything({}))).toThrow(TypeError);
    await expect(b.system.command('board/a', anything('explode'), 'x')).rejects.toMatchObject({
      code: 'MAG_BAD_REQUEST',
    });
    await b.settle(ref.stop());
  });
});

describe('an offer', () => {
  it('that its caller aborts rejects with the reason, one that runs out of time is rejected', async () => {
    const b = bench();
    const mailbox = { capacity: 1, overflow: 'backpressure' as const };
    await b.start(supervisor('board', { children: [probe('a', [], { mailbox })] }));
    await b.system.command('board/a', 'pause', 'test');
    const slot = b.system.slot('board/a');
    expect(slot.send({ type: 'ADD' })).toBe('sent');
    const abort = new AbortController();
    const aborted = slot.offer({ type: 'ADD' }, { signal: abort.signal });
    abort.abort(new Error('changed my mind'));
    await expect(aborted).rejects.toThrow('changed my mind');
    const late = slot.offer({ type: 'ADD' }, { timeout: 100 });
    await b.host.advance(101);
    expect(await late).toBe('rejected');
  });
});
