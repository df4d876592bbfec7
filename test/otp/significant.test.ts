import { describe, expect, it } from 'vitest';
import { type ChildSpec, type RestartType, type SupervisorOptions, supervisor } from '../../src/index.ts';
import { child, type How, Sup, TWICE } from '../support/runtime/otp.ts';

type Mode = NonNullable<SupervisorOptions['autoShutdown']>;
const MODES: readonly Mode[] = ['never', 'any_significant', 'all_significant'];
const BUDGET = { ...TWICE, max: 5 };

const start = (autoShutdown: Mode, more: Partial<SupervisorOptions> = {}): Promise<Sup> =>
  Sup.start({ intensity: BUDGET, autoShutdown, ...more });

const significant = (id: string, restart: RestartType = 'transient'): ChildSpec =>
  child(id, { restart, significant: true });

/** Two significant children and one that is not. */
async function trio(mode: Mode, restart: RestartType): Promise<Sup> {
  const sup = await start(mode);
  await sup.startChild(significant('child1', restart));
  await sup.startChild(significant('child2', restart));
  await sup.startChild(child('child3', { restart }));
  return sup;
}

const expectAllGone = (sup: Sup): void => {
  expect(sup.end(sup.ref)).toBe('shutdown');
  expect(sup.bench.system.lookup('sup_test')).toBeUndefined();
  for (const id of ['child1', 'child2', 'child3'])
    expect(sup.bench.system.lookup(`sup_test/${id}`)).toBeUndefined();
  expect(sup.bench.rootFailures).toEqual([]);
};

describe('group significant', () => {
  it.each(MODES)(
    'nonsignificant_temporary: under %s no end of such a child ends the supervisor',
    async (mode) => {
      const sup = await start(mode);
      const spec = child('child1', { restart: 'temporary' });
      await sup.startChild(spec);
      await sup.do('terminateChild', 'child1');
      for (const how of ['kill', 'abnormal', 'normal', 'shutdown'] as const) {
        await sup.startChild(spec);
        await sup.terminate('child1', how);
        expect(sup.alive).toBe(true);
      }
    },
  );

  it.each(MODES)('nonsignificant_transient: under %s likewise', async (mode) => {
    const sup = await start(mode);
    await sup.startChild(child('child1', { restart: 'transient' }));
    await sup.do('terminateChild', 'child1');
    await sup.do('restartChild', 'child1');
    for (const how of ['kill', 'abnormal', 'normal'] as const) {
      await sup.terminate('child1', how);
      expect(sup.alive).toBe(true);
    }
    expect(sup.which()).toEqual(['child1 stopped']);
  });

  const ENDS: readonly (readonly [RestartType, How])[] = [
    ['temporary', 'kill'],
    ['temporary', 'abnormal'],
    ['temporary', 'normal'],
    ['temporary', 'shutdown'],
    ['transient', 'normal'],
    ['transient', 'shutdown'],
  ];
  it.each(ENDS)('significant_%s: the first that ends by %s ends any_significant', async (restart, how) => {
    const sup = await trio('any_significant', restart);
    await sup.terminate('child1', how);
    expectAllGone(sup);
  });

  it.each(ENDS)('significant_%s: the last that ends by %s ends all_significant', async (restart, how) => {
    const sup = await trio('all_significant', restart);
    await sup.terminate('child1', how);
    expect(sup.alive).toBe(true);
    expect(sup.pid('child2').path).toBe('sup_test/child2');
    await sup.terminate('child2', how);
    expectAllGone(sup);
  });

  it.each(['temporary', 'transient'] as const)(
    'significant_%s: one that its supervisor terminates does not count',
    async (restart) => {
      for (const mode of ['any_significant', 'all_significant'] as const) {
        const sup = await trio(mode, restart);
        await sup.do('terminateChild', 'child1');
        await sup.do('terminateChild', 'child2');
        expect(sup.alive).toBe(true);
        expect(sup.counts()[1]).toBe(1);
      }
    },
  );

  it('significant_transient: one that fails is restarted, which ends nothing', async () => {
    for (const mode of ['any_significant', 'all_significant'] as const) {
      const sup = await trio(mode, 'transient');
      await sup.terminate('child1', 'kill');
      await sup.terminate('child1', 'abnormal');
      expect(sup.which()).toEqual(['child1 running', 'child2 running', 'child3 running']);
    }
  });

  it('significant_transient: one that waits for its restart still counts', async () => {
    const sup = await start('all_significant');
    const backoff = { base: 1_000, cap: 1_000, resetAfter: 9_000 };
    await sup.startChild({ ...significant('child1'), backoff });
    await sup.startChild(significant('child2'));
    await sup.terminate('child1', 'abnormal');
    await sup.terminate('child2', 'normal');
    expect(sup.alive).toBe(true);
    await sup.bench.host.advance(1_000);
    await sup.terminate('child1', 'normal');
    expectAllGone(sup);
  });

  const GROUPS = (['one_for_one', 'one_for_all', 'rest_for_one'] as const).flatMap((strategy) =>
    (['any_significant', 'all_significant'] as const).map((mode) => [strategy, mode] as const),
  );
  it.each(GROUPS)(
    'significant_bystander: %s takes significant siblings down, which ends no %s',
    async (strategy, mode) => {
      const sup = await start(mode, { strategy });
      const one = await sup.startChild(significant('child1'));
      const two = await sup.startChild(child('child2', { restart: 'transient' }));
      const three = await sup.startChild(significant('child3'));
      await sup.terminate(two, 'kill');
      const ends = [one, three].map((ref) => sup.end(ref));
      if (strategy === 'one_for_one') expect(ends).toEqual(['alive', 'alive']);
      if (strategy === 'one_for_all') expect(ends).toEqual(['shutdown', 'shutdown']);
      if (strategy === 'rest_for_one') expect(ends).toEqual(['alive', 'shutdown']);
      expect(sup.which()).toEqual(['child1 running', 'child2 running', 'child3 running']);
      await sup.stop();
      expect(sup.end(sup.ref)).toBe('shutdown');
    },
  );

  it('significant_bystander: a temporary one that goes down with its group ends nothing, and stays away', async () => {
    const sup = await start('any_significant', { strategy: 'one_for_all' });
    await sup.startChild(significant('child1', 'temporary'));
    await sup.startChild(child('child2'));
    await sup.terminate('child2', 'abnormal');
    expect(sup.which()).toEqual(['child2 running']);
  });

  it.each([true, false])('significant_escalation: to a significant (%s) supervisor above', async (counts) => {
    const sup = await start('any_significant');
    const inner = supervisor('sup1', {
      autoShutdown: 'any_significant',
      restart: 'transient',
      significant: counts,
      children: [],
    });
    const innerRef = await sup.startChild(inner);
    const leaf = await sup.startChild(significant('child1'), 'sup_test/sup1');
    await sup.terminate(leaf, 'normal');
    expect([sup.end(leaf), sup.end(innerRef)]).toEqual(['normal', 'shutdown']);
    expect(sup.alive).toBe(!counts);
    if (!counts) expect(sup.which()).toEqual(['sup1 stopped']);
  });

  it('significant_upgrade_child: a replaced child counts by its new specification', async () => {
    const plain = child('child', { restart: 'transient' });
    const never = await start('never', { children: [plain] });
    await expect(never.bench.settle(never.api().replaceChild(significant('child')))).rejects.toMatchObject({
      code: 'MAG_CHILD_SPEC_INVALID',
      details: 'significant',
    });
    expect(never.which()).toEqual(['child running']);

    const becomes = await start('any_significant', { children: [plain] });
    await becomes.bench.settle(becomes.api().replaceChild(significant('child')));
    expect(becomes.alive).toBe(true);
    await becomes.terminate('child', 'normal');
    expectAllGone(becomes);

    const was = await start('any_significant', { children: [significant('child')] });
    await was.bench.settle(was.api().replaceChild(plain));
    await was.terminate('child', 'normal');
    expect(was.alive).toBe(true);
    expect(was.which()).toEqual(['child stopped']);
  });
});
