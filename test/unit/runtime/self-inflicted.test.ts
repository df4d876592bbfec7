import { describe, expect, it } from 'vitest';
import { fromCallback, setup } from 'xstate';
import {
  type ChildSpec,
  component,
  type Down,
  IGNORE,
  light,
  machine,
  supervisor,
} from '../../../src/index.ts';
import { bench, find, probe } from '../../support/runtime/probe.ts';

const board = (children: readonly ChildSpec[]) => supervisor('board', { children });

/** A machine whose state cannot be persisted: what it invokes has no name. */
const unpersistable = setup({}).createMachine({
  context: ({ spawn }) => ({ child: spawn(fromCallback(() => {})) }),
  on: {
    BOOM: {
      actions: () => {
        throw new Error('from the machine');
      },
    },
  },
});

describe('an actor that ends itself in a step', () => {
  it('is stopped after that step, with the state that the step left', async () => {
    const b = bench();
    const freed: number[] = [];
    const last = light('last', {
      init: () => 0,
      receive: (count, _message: { type: 'LAST' }, context) => {
        context.finish();
        return count + 1;
      },
      stop: (count) => void freed.push(count),
    });
    await b.start(board([{ ...last, restart: 'transient' }]));
    const ends: Down[] = [];
    b.system.lookup('board/last')?.monitor((down) => ends.push(down));
    b.system.slot('board/last').send({ type: 'LAST' });
    await b.host.runUntilIdle();
    expect(freed).toEqual([1]);
    expect(ends).toMatchObject([{ reason: { kind: 'normal' } }]);
  });

  it('answers the question of that step', async () => {
    const b = bench();
    const once = light('once', {
      init: () => 7,
      receive: (state, message: { type: 'GET'; reply?: (value: number) => void }, context) => {
        context.finish();
        message.reply?.(state);
        return state;
      },
    });
    await b.start(board([{ ...once, restart: 'transient' }]));
    expect(await b.settle(b.system.slot('board/once').ask({ type: 'GET' }))).toBe(7);
  });

  it('in its start is no child, and what its start made is freed', async () => {
    const b = bench();
    const freed: string[] = [];
    await b.start(board([]));
    const spec = light('hasty', {
      init: (_input: undefined, context) => {
        void context.system.supervisor('board').terminateChild('hasty');
        return 'made';
      },
      receive: (state) => state,
      stop: (state: string) => void freed.push(state),
    });
    const started = b.system.startChild('board', spec);
    await expect(b.settle(started)).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE' });
    expect(freed).toEqual(['made']);
    expect(b.system.lookup('board/hasty')).toBeUndefined();
    expect(b.runtime.counters().actors).toBe(1);
  });

  it('together with the system, in its start, leaves nothing behind', async () => {
    const b = bench();
    const spec = light('root', {
      init: (_input: undefined, context) => {
        void context.system.stop('from inside');
        return null;
      },
      receive: (state) => state,
    });
    await expect(b.settle(b.system.start(spec))).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE' });
    expect(b.runtime.counters().actors).toBe(0);
  });

  it('before its machine is made starts none', async () => {
    const b = bench();
    let entered = 0;
    const enter = () => {
      entered += 1;
    };
    const logic = setup({}).createMachine({ entry: enter });
    const input = (context: { fail(error: unknown): void }) => context.fail(new Error('no input'));
    const failing = { ...machine('m', logic), behaviour: { kind: 'machine' as const, logic, input } };
    await expect(b.start(board([failing]))).rejects.toThrow('no input');
    expect(entered).toBe(0);
  });

  it('when it is told of its own beginning is not begun', async () => {
    const b = bench();
    await b.start(board([]));
    const log: string[] = [];
    b.system.onLifecycle((event) => {
      if (event.type === 'started' && event.path === 'board/a')
        void b.system.command('board/a', 'crash', 'at once');
    });
    await expect(b.settle(b.system.startChild('board', probe('a', log)))).rejects.toMatchObject({
      code: 'MAG_FAULT_INJECTED',
    });
    expect(log).toEqual([]);
  });
});

describe('an actor that fails in a step', () => {
  it('comes back without what came with the message of that step', async () => {
    const b = bench();
    const tenants: unknown[] = [];
    const failing = light('a', {
      init: (_input: undefined, context) => tenants.push(context.ambient?.tenant),
      receive: (state, _message: { type: 'FAIL' }, context) => {
        context.fail(new Error('a broke'));
        return state;
      },
    });
    await b.start(board([failing]));
    b.system.withAmbient({ tenant: 'other' }, () => b.system.slot('board/a').send({ type: 'FAIL' }));
    await b.host.runUntilIdle();
    expect(tenants).toEqual([undefined, undefined]);
  });

  it('or asks to be restarted there, is restarted once', async () => {
    const b = bench();
    const log: string[] = [];
    const renewing = light('a', {
      init: () => 0,
      receive: (
        count,
        message: { type: 'RENEW' } | { type: 'GET'; reply?: (value: number) => void },
        context,
      ) => {
        if (message.type === 'RENEW') void context.system.command('board/a', 'restart', 'by itself');
        else message.reply?.(count);
        return count + 1;
      },
      stop: (count) => void log.push(`stopped at ${count}`),
    });
    await b.start(board([renewing]));
    const slot = b.system.slot('board/a');
    slot.send({ type: 'RENEW' });
    expect(await b.settle(slot.ask({ type: 'GET' }))).toBe(1);
    expect(log).toEqual(['stopped at 2']);
    expect(await b.settle(slot.ask({ type: 'GET' }))).toBe(0);
    expect(find(await b.system.tree(), 'board/a')).toMatchObject({ restarts: 1, status: 'running' });
  });
});

describe('what throws where nothing may throw', () => {
  it('a state that cannot be persisted is not carried over, and its actor restarts', async () => {
    const b = bench();
    await b.start(
      board([machine('m', unpersistable, { state: { keep: 'last', version: 1 } }), probe('other')]),
    );
    b.system.slot('board/m').send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(find(await b.system.tree(), 'board/m')).toMatchObject({ status: 'running', restarts: 1 });
    expect(await b.settle(b.system.slot('board/other').ask({ type: 'GET' }))).toBe(0);
    await b.settle(b.system.stop('done'));
    expect(b.runtime.counters().actors).toBe(0);
  });

  it('one handler of a root failure does not stop the thread', async () => {
    const b = bench();
    Object.assign(b.rootFailures, {
      push: () => {
        throw new Error('the handler broke');
      },
    });
    await b.start(probe('root'));
    await b.start(probe('other'));
    b.system.slot('root').send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(await b.settle(b.system.slot('other').ask({ type: 'GET' }))).toBe(0);
  });

  it('a late monitor that throws is told to the log, and nobody else', async () => {
    const b = bench();
    await b.start(board([probe('a')]));
    const ref = b.system.lookup('board/a');
    await b.settle(b.system.supervisor('board').terminateChild('a'));
    ref?.monitor(() => {
      throw new Error('the monitor broke');
    });
    await expect(b.host.runUntilIdle()).resolves.toBeUndefined();
  });
});

describe('each subscription is its own', () => {
  it('of monitors, also with one listener', async () => {
    const b = bench();
    await b.start(board([probe('a')]));
    let told = 0;
    const listener = () => {
      told += 1;
    };
    const ref = b.system.lookup('board/a');
    const forget = ref?.monitor(listener);
    ref?.monitor(listener);
    ref?.monitor(listener);
    forget?.();
    ref?.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(told).toBe(2);
  });
});

describe('links', () => {
  it('end a chain of five thousand without running out of stack', async () => {
    const b = bench();
    const ids = Array.from({ length: 5_000 }, (_, index) => `a${index}`);
    const children = ids.map((id) => ({ ...probe(id), restart: 'temporary' as const }));
    await b.start(supervisor('board', { strategy: 'dynamic', children }));
    const refs = ids.map((id) => b.system.lookup(`board/${id}`)!);
    for (const [index, ref] of refs.entries()) ref.link(refs[(index + 1) % refs.length]!);
    refs[0]!.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(b.system.supervisor('board').count().specs).toBe(0);
  });
});

describe('a component that is not needed', () => {
  it('leaves no statechart behind', async () => {
    const b = bench();
    await b.start(board([]));
    const states: (() => string)[] = [];
    const { create } = b.runtime.xstate;
    b.runtime.xstate.create = (...given) => {
      const made = create.apply(b.runtime.xstate, given);
      states.push(() => made.getSnapshot().status);
      return made;
    };
    const unneeded = component('unneeded', async () => IGNORE, { restart: 'temporary' });
    await b.settle(b.system.startChild('board', unneeded));
    expect(states.map((state) => state())).toEqual(['stopped']);
  });
});
