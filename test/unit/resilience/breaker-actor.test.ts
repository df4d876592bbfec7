import { describe, expect, it } from 'vitest';
import { type Breaker, breaker, component, policy, supervisor } from '../../../src/index.ts';
import { bench, find } from '../../support/runtime/probe.ts';

const fail = (circuit: Breaker): void => {
  for (let call = 0; call < 20; call += 1)
    expect(() =>
      circuit.runSync(() => {
        throw new Error('down');
      }),
    ).toThrow();
};

describe('a breaker in the tree', () => {
  it('is offered by its name, and healthy while it is closed', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [breaker('mail')] }));
    const circuit = b.system.service<Breaker>('mail');
    expect(await circuit.run(async () => 'sent')).toBe('sent');
    expect(find(await b.system.tree(), 'board/mail')).toMatchObject({ state: 'healthy', lastError: null });
  });

  it('is degraded while it is open, and healthy again when its deadline is over, without a call', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [breaker('mail')] }));
    const circuit = b.system.service<Breaker>('mail');
    fail(circuit);
    await b.host.runUntilIdle();
    const node = find(await b.system.tree(), 'board/mail');
    expect(node?.state).toBe('degraded');
    expect(node?.lastError).toMatch(/^circuit mail is open, for [4-6] s$/);
    await b.host.advance(6_000);
    expect(find(await b.system.tree(), 'board/mail')).toMatchObject({ state: 'healthy', lastError: null });
    for (let probe = 0; probe < 3; probe += 1) circuit.runSync(() => 1);
    expect(circuit.state).toBe('closed');
  });

  it('keeps its deadline, and how often it opened, over a crash', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [breaker('mail')] }));
    const before = b.system.service<Breaker>('mail');
    fail(before);
    await b.host.advance(1_000);
    const left = before.nextChangeIn ?? 0;
    await b.settle(b.system.command('board/mail', 'crash', 'test'));
    await b.host.runUntilIdle();
    const after = b.system.service<Breaker>('mail');
    expect(after).not.toBe(before);
    expect(after.stats()).toMatchObject({ state: 'open', openings: 1 });
    expect(after.nextChangeIn).toBeCloseTo(left, 2);
    expect(find(await b.system.tree(), 'board/mail')).toMatchObject({ state: 'degraded' });
    // What still came back to the old one is nothing to the new one.
    before.reset();
    await b.host.runUntilIdle();
    await b.settle(b.system.command('board/mail', 'crash', 'test'));
    await b.host.runUntilIdle();
    const last = b.system.service<Breaker>('mail');
    expect(last).not.toBe(after);
    expect(last.state).toBe('open');
    await b.host.advance(left + 1);
    expect(last.state).toBe('half_open');
    expect(find(await b.system.tree(), 'board/mail')).toMatchObject({ state: 'healthy' });
  });

  it('starts closed after a crash where its state is said to be fresh', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [breaker('mail', { state: 'fresh' })] }));
    fail(b.system.service<Breaker>('mail'));
    await b.host.runUntilIdle();
    await b.settle(b.system.command('board/mail', 'crash', 'test'));
    await b.host.runUntilIdle();
    expect(b.system.service<Breaker>('mail').state).toBe('closed');
  });

  it('is found anew by a policy after each restart, and missed in between', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [breaker('mail')] }));
    const call = policy({ host: b.host, breaker: () => b.system.service<Breaker>('mail') });
    expect(await b.settle(call.run(async () => 'sent'))).toBe('sent');
    await b.settle(b.system.command('board/mail', 'crash', 'test'));
    await b.host.runUntilIdle();
    b.system.service<Breaker>('mail').forceOpen();
    await expect(b.settle(call.run(async () => 'sent'))).rejects.toMatchObject({ code: 'MAG_CIRCUIT_OPEN' });
    await b.settle(b.system.stop('test'));
    await expect(b.settle(call.run(async () => 'sent'))).rejects.toMatchObject({
      code: 'MAG_COMPONENT_UNAVAILABLE',
    });
  });

  it('starts closed in another system of the same specification', async () => {
    const spec = supervisor('board', { children: [breaker('mail')] });
    const first = bench();
    await first.start(spec);
    fail(first.system.service<Breaker>('mail'));
    await first.host.runUntilIdle();
    const second = bench();
    await second.start(spec);
    expect(second.system.service<Breaker>('mail').state).toBe('closed');
  });

  it('obeys an operator’s messages, and answers them with its figures', async () => {
    const b = bench();
    await b.start(supervisor('board', { children: [breaker('mail'), component('other', () => ({}))] }));
    const ask = (type: string) => b.settle(b.system.slot('board/mail').ask({ type }));
    expect(await ask('FORCE_OPEN')).toMatchObject({ state: 'forced_open' });
    await b.host.runUntilIdle();
    expect(find(await b.system.tree(), 'board/mail')).toMatchObject({
      state: 'degraded',
      lastError: 'circuit mail is kept open by an operator',
    });
    expect(await ask('STATS')).toMatchObject({ state: 'forced_open', admitted: 0 });
    await expect(ask('EXPLODE')).rejects.toMatchObject({ code: 'MAG_BAD_REQUEST' });
    expect(await ask('DISABLE')).toMatchObject({ state: 'disabled' });
    expect(await ask('RESET')).toMatchObject({ state: 'closed' });
    await b.host.runUntilIdle();
    expect(find(await b.system.tree(), 'board/mail')).toMatchObject({ state: 'healthy' });
  });
});
