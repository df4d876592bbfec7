import { describe, expect, it } from 'vitest';
import type { BoardState } from '../../src/actors/bios/boot-status.ts';
import { SlotHealth } from '../../src/board/status.ts';
import type { BoardStatus, ComponentHealth } from '../../src/protocol/board-status.ts';
import { createSystem } from '../../src/runtime/create-system.ts';
import { component, supervisor } from '../../src/runtime/specs.ts';
import { virtualHost } from '../../src/testing/virtual-host.ts';

/** The board's state, of which these slots are a part. */
function stateOf(names: readonly string[]) {
  const components = new Map<string, ComponentHealth>(
    names.map((name) => [name, { name, stage: 'storage', status: 'healthy', optional: false, detail: null }]),
  );
  const reports: string[] = [];
  const state: BoardState = {
    status: (): BoardStatus => ({ status: 'ready', stage: 'ready', components: [...components.values()] }),
    subscribe: () => () => {},
    report: (name, status, detail) => {
      const known = components.get(name);
      if (known !== undefined) components.set(name, { ...known, status, detail });
      reports.push(`${name} ${status}${detail === null ? '' : ` (${detail})`}`);
    },
  };
  return { state, reports };
}

const BACKOFF = { base: 50, cap: 10_000, resetAfter: 30_000 };

/** A board with an engine below a slot, and a slot that is one component. */
async function board() {
  const host = virtualHost(1);
  const system = createSystem({ node: 'main', host });
  const { state, reports } = stateOf(['engines', 'audit']);
  const health = new SlotHealth(
    state,
    new Map([
      ['board/engines', 'engines'],
      ['board/audit', 'audit'],
    ]),
  );
  const part = (id: string, restart: 'permanent' | 'temporary' = 'permanent') =>
    component(id, () => ({}), { backoff: BACKOFF, restart });
  const started = system.start(
    supervisor('board', {
      children: [
        supervisor('engines', { children: [part('postgres'), part('once', 'temporary')], backoff: BACKOFF }),
        part('audit'),
      ],
    }),
  );
  await host.runUntilIdle();
  await started;
  const stop = health.follow(system);
  return { host, system, health, reports, stop };
}

describe('the health of a slot', () => {
  it('follows its own actor: down, and back', async () => {
    const { host, system, reports } = await board();
    await system.command('board/audit', 'crash', 'test');
    await host.runUntilIdle();
    expect(reports.at(-1)).toMatch(/^audit restarting \(/);
    await host.advance(1_000);
    expect(reports.at(-1)).toBe('audit healthy');
  });

  it('says that an operator stopped it', async () => {
    const { host, system, reports } = await board();
    const stopping = system.command('board/audit', 'stop', 'test');
    await host.runUntilIdle();
    await stopping;
    expect(reports.at(-1)).toMatch(/^audit stopped/);
  });

  it('is degraded, with the path and the reason, while a part below it is being restarted', async () => {
    const { host, system, reports } = await board();
    await system.command('board/engines/postgres', 'crash', 'no disk');
    await host.runUntilIdle();
    expect(reports.at(-1)).toMatch(/^engines degraded \(board\/engines\/postgres: .*no disk/);
    await host.advance(1_000);
    expect(reports.at(-1)).toBe('engines healthy');
  });

  it('does not wait for a part that nobody brings back', async () => {
    const { host, system, reports } = await board();
    await system.command('board/engines/once', 'crash', 'test');
    await host.advance(1_000);
    expect(reports).toEqual([]);
  });

  it('is degraded while a running part says that it cannot do its work, together with what else is wrong', async () => {
    const { host, system, health, reports } = await board();
    health.note('board/engines/server', 'it does not start');
    expect(reports).toEqual(['engines degraded (board/engines/server: it does not start)']);
    await system.command('board/engines/postgres', 'crash', 'test');
    await host.advance(1_000);
    expect(reports.at(-1)).toBe('engines degraded (board/engines/server: it does not start)');
    health.note('board/engines/server', null);
    expect(reports.at(-1)).toBe('engines healthy');
    health.note('board/engines/server', null);
    expect(reports.filter((report) => report === 'engines healthy')).toHaveLength(1);
  });

  it('starts from nothing when the whole slot is made anew', async () => {
    const { host, system, health, reports } = await board();
    health.note('board/engines/server', 'it does not start');
    await system.command('board/engines', 'crash', 'test');
    await host.advance(1_000);
    expect(reports.at(-1)).toBe('engines healthy');
  });

  it('is followed until told otherwise', async () => {
    const { host, system, reports, stop } = await board();
    stop();
    await system.command('board/audit', 'crash', 'test');
    await host.advance(1_000);
    expect(reports).toEqual([]);
  });
});
