import { describe, expect, it } from 'vitest';
import { component, type Down, light, type MailboxOptions, supervisor } from '../../../src/index.ts';
import { bench, probe } from '../../support/runtime/probe.ts';

const board = (children: Parameters<typeof supervisor>[1]['children']) => supervisor('board', { children });

describe('a ref', () => {
  it('is bound to its incarnation: after a restart it reaches dead letters, never the new actor', async () => {
    const b = bench();
    await b.start(board([probe('a')]));
    const old = b.system.lookup('board/a')!;
    old.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(old.send({ type: 'ADD' })).toBe('dead');
    await expect(old.ask({ type: 'GET' })).rejects.toMatchObject({ code: 'MAG_ACTOR_NOT_FOUND' });
    expect(b.runtime.deadLetters.recent().map((letter) => letter.type)).toContain('ADD');
    expect(b.system.lookup('board/a')?.address).not.toBe(old.address);
    expect(await b.settle(b.system.lookup('board/a')!.ask({ type: 'GET' }))).toBe(0);
  });

  it('tells a monitor once, with the reason, also when its actor is gone already', async () => {
    const b = bench();
    await b.start(board([probe('a')]));
    const ref = b.system.lookup('board/a')!;
    const reasons: string[] = [];
    const text = ({ reason }: Down) => (reason.kind === 'error' ? reason.error.message : reason.kind);
    ref.monitor((down) => reasons.push(text(down)));
    ref.monitor(() => reasons.push('not watching any more'))();
    ref.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    ref.monitor((down) => reasons.push(`late: ${text(down)}`));
    await b.host.runUntilIdle();
    expect(reasons).toEqual(['a broke', 'late: a broke']);
  });
});

describe('a send', () => {
  it('never runs the receiver inside the sender', async () => {
    const b = bench();
    const order: string[] = [];
    const echo = (id: string, to: string) =>
      light(id, {
        init: () => null,
        receive: (_state, message, context) => {
          order.push(`${id} in`);
          if (message.hops === 0) return null;
          context.system.slot(to).send({ type: 'HOP', hops: Number(message.hops) - 1 });
          order.push(`${id} out`);
          return null;
        },
      });
    await b.start(board([echo('a', 'board/b'), echo('b', 'board/a')]));
    b.system.slot('board/a').send({ type: 'HOP', hops: 2 });
    await b.host.runUntilIdle();
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'a in']);
  });

  it('does not overflow the stack nor starve timers in a chain of a hundred thousand', async () => {
    const b = bench();
    const self = light('self', {
      init: () => 0,
      receive: (count, _message, context) => {
        if (count < 100_000) context.self.send({ type: 'AGAIN' });
        return count + 1;
      },
    });
    await b.start(board([self]));
    b.system.slot('board/self').send({ type: 'AGAIN' });
    await b.host.runUntilIdle();
    expect(b.runtime.kernel.handled).toBe(100_001);
  });

  it.each<[MailboxOptions['overflow'], string[], number[]]>([
    ['reject', ['sent', 'sent', 'rejected'], [1, 2]],
    ['backpressure', ['sent', 'sent', 'rejected'], [1, 2]],
    ['drop_oldest', ['sent', 'sent', 'sent'], [2, 3]],
    ['drop_newest', ['sent', 'sent', 'sent'], [1, 2]],
  ])('into a full mailbox follows its policy %s, and is counted', async (overflow, results, seen) => {
    const b = bench();
    const got: unknown[] = [];
    const sink = light(
      'sink',
      { init: () => null, receive: (_state, message) => void got.push(message.n) as unknown as null },
      { mailbox: { capacity: 2, overflow } },
    );
    await b.start(board([sink]));
    const slot = b.system.slot('board/sink');
    expect([1, 2, 3].map((n) => slot.send({ type: 'N', n }))).toEqual(results);
    expect((await b.system.tree()).children[0]?.mailbox).toEqual({ depth: 2, capacity: 2, dropped: 1 });
    await b.host.runUntilIdle();
    expect(got).toEqual(seen);
  });
});

describe('an ask', () => {
  it('fails at its deadline, by its signal, and with the crash of who should answer', async () => {
    const b = bench();
    await b.start(board([probe('a')]));
    const slot = b.system.slot('board/a');
    const late = slot.ask({ type: 'IGNORED' }, { timeout: 100 });
    const cancel = new AbortController();
    const cancelled = slot.ask({ type: 'IGNORED' }, { signal: cancel.signal });
    cancel.abort(new Error('not needed'));
    await expect(cancelled).rejects.toThrow('not needed');
    late.catch(() => {});
    await b.host.advance(101);
    await expect(late).rejects.toMatchObject({ code: 'MAG_ASK_TIMEOUT' });
    await expect(b.settle(slot.ask({ type: 'BOOM' }))).rejects.toMatchObject({ code: 'MAG_ACTOR_CRASHED' });
  });

  it('that is still open when its actor is stopped says that it may be asked again', async () => {
    const b = bench();
    await b.start(board([component('slow', () => ({ handle: () => new Promise(() => {}) }))]));
    const answer = b.system.slot('board/slow').ask({ type: 'GET' });
    await b.settle(b.system.command('board/slow', 'restart', 'planned'));
    await expect(answer).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE', retryAfter: 1 });
  });

  it('of nobody fails at once', async () => {
    const b = bench();
    await b.start(board([]));
    await expect(b.system.slot('board/none').ask({ type: 'GET' })).rejects.toMatchObject({
      code: 'MAG_ACTOR_NOT_FOUND',
    });
  });
});

describe('a slot', () => {
  const backoff = { base: 1_000, cap: 1_000, resetAfter: 60_000 };

  it('parks messages while its holder restarts, and hands them on in order', async () => {
    const b = bench();
    await b.start(board([probe('a', [], { backoff })]));
    const slot = b.system.slot('board/a');
    slot.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    expect(slot.send({ type: 'ADD' })).toBe('sent');
    const answer = slot.ask({ type: 'GET' });
    expect(b.runtime.counters().parked).toBe(2);
    await b.host.advance(1_001);
    expect(await answer).toBe(1);
    expect(b.runtime.counters().parked).toBe(0);
  });

  it('keeps a parked ask to its deadline', async () => {
    const b = bench();
    await b.start(board([probe('a', [], { backoff })]));
    const slot = b.system.slot('board/a');
    slot.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    const answer = slot.ask({ type: 'GET' }, { timeout: 300 });
    answer.catch(() => {});
    await b.host.advance(301);
    await expect(answer).rejects.toMatchObject({ code: 'MAG_ASK_TIMEOUT' });
  });

  it('tells who waited when the holder stays away', async () => {
    const b = bench();
    await b.start(board([probe('a', [], { backoff })]));
    const slot = b.system.slot('board/a');
    slot.send({ type: 'BOOM' });
    await b.host.runUntilIdle();
    const answer = slot.ask({ type: 'GET' });
    await b.settle(b.system.command('board/a', 'stop', 'enough'));
    await expect(answer).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE' });
    expect(slot.send({ type: 'ADD' })).toBe('dead');
    // It is known, only down: that is no 404.
    await expect(slot.ask({ type: 'GET' })).rejects.toMatchObject({ code: 'MAG_COMPONENT_UNAVAILABLE' });
    await expect(b.system.slot('board/a/below').ask({ type: 'GET' })).rejects.toMatchObject({ status: 503 });
  });

  it('waits for a holder that is still starting', async () => {
    const b = bench();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = component('slow', async () => {
      await gate;
      return { handle: () => 'up' };
    });
    const started = b.system.start(board([slow]));
    await b.host.runUntilIdle();
    const answer = b.system.slot('board/slow').ask({ type: 'GET' });
    open();
    await b.settle(started);
    expect(await answer).toBe('up');
  });
});
