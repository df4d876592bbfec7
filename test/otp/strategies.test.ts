import { describe, expect, it } from 'vitest';
import { type ChildSpec, type Ref, supervisor } from '../../src/index.ts';
import { cannotRestart, child, Sup, TWICE, UNLIMITED } from '../support/runtime/otp.ts';

const FIVE = { ...TWICE, max: 4 };

/** A supervisor of children 1…n, and their references. */
async function family(
  strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic',
  specs: readonly ChildSpec[],
  intensity = TWICE,
): Promise<{ readonly sup: Sup; readonly refs: readonly Ref[] }> {
  const sup = await Sup.start({ strategy, intensity });
  const refs: Ref[] = [];
  for (const spec of specs) refs.push(await sup.startChild(spec));
  return { sup, refs };
}

const running = (...ids: readonly string[]): readonly string[] => ids.map((id) => `${id} running`);
const addresses = (sup: Sup, ...ids: readonly string[]): readonly string[] =>
  ids.map((id) => sup.pid(id).address);

describe('multiple_restarts', () => {
  it('keeps to its budget for ever where crashes are far enough apart', async () => {
    const sup = await Sup.start({ intensity: { max: 1, within: 1_000 } });
    await sup.startChild(child('child1', { shutdown: 'brutal' }));
    for (let round = 0; round < 4; round += 1) {
      await sup.terminate('child1', 'abnormal');
      await sup.bench.host.advance(2_100);
    }
    expect(sup.alive).toBe(true);
    await sup.do('terminateChild', 'child1');
    await sup.do('deleteChild', 'child1');
  });
});

describe.each(['one_for_one', 'dynamic'] as const)(
  'group restart_one_for_one and simple_one_for_one: %s',
  (strategy) => {
    it('restarts the child that failed, until it fails too often', async () => {
      const { sup, refs } = await family(strategy, [child('child1'), child('child2')]);
      await sup.terminate('child1', 'abnormal');
      expect(sup.which()).toEqual(running('child1', 'child2'));
      expect(sup.pid('child2').address).toBe(refs[1]?.address);
      expect(sup.pid('child1').address).not.toBe(refs[0]?.address);
      await sup.terminate('child2', 'abnormal');
      const last = sup.pid('child1');
      await sup.terminate('child1', 'abnormal');
      expect(sup.end(sup.ref)).toBe('error');
      expect(sup.end(last)).toBe('error');
      expect(sup.bench.rootFailures).toMatchObject([
        { code: 'MAG_RESTART_INTENSITY', cause: { message: 'abnormal' } },
      ]);
    });

    it('escalation: a child that cannot be restarted burns the budget and ends the supervisor', async () => {
      const { sup, refs } = await family(strategy, [cannotRestart('child1'), child('child2')], FIVE);
      await sup.terminate('child1', 'abnormal');
      expect(sup.end(sup.ref)).toBe('error');
      expect(refs.map((ref) => sup.end(ref))).toEqual(['error', 'shutdown']);
      expect(sup.bench.rootFailures).toMatchObject([{ cause: { message: 'child1 cannot start' } }]);
    });
  },
);

describe('group restart_one_for_all', () => {
  it('one_for_all: restarts all, until that is too often', async () => {
    const { sup, refs } = await family('one_for_all', [child('child1'), child('child2')]);
    await sup.terminate('child1', 'abnormal');
    expect(refs.map((ref) => sup.end(ref))).toEqual(['error', 'shutdown']);
    expect(sup.which()).toEqual(running('child1', 'child2'));
    for (const ref of refs) expect(addresses(sup, 'child1', 'child2')).not.toContain(ref.address);
    expect(sup.counts()).toEqual([2, 2, 0, 2]);
    await sup.terminate('child2', 'abnormal');
    expect(sup.alive).toBe(true);
    await sup.terminate('child2', 'abnormal');
    expect(sup.end(sup.ref)).toBe('error');
  });

  it('one_for_all_escalation', async () => {
    const { sup, refs } = await family('one_for_all', [child('child1'), cannotRestart('child2')], FIVE);
    await sup.terminate('child1', 'abnormal');
    expect(refs.map((ref) => sup.end(ref))).toEqual(['error', 'shutdown']);
    expect(sup.end(sup.ref)).toBe('error');
  });

  it('one_for_all_other_child_fails_restart: what came back before it is taken down again', async () => {
    const starts: string[] = [];
    const told = (id: string, fails: (count: number) => boolean): ChildSpec =>
      child(id, {
        start: (count) => {
          starts.push(`${id} ${count}`);
          return fails(count) ? 'error' : 'ok';
        },
      });
    const children = [told('child1', () => false), told('child2', (count) => count === 2)];
    const sup = await Sup.start({ strategy: 'one_for_all', intensity: { ...TWICE, max: 3 }, children });
    await sup.terminate('child1', 'abnormal');
    expect(starts).toEqual(['child1 1', 'child2 1', 'child1 2', 'child2 2', 'child1 3', 'child2 3']);
    expect(sup.which()).toEqual(running('child1', 'child2'));
    const ends = sup.bench.events.filter(({ type }) => type === 'stopped' || type === 'failed');
    expect(ends.map(({ path, type }) => `${path} ${type}`)).toEqual([
      'sup_test/child1 failed',
      'sup_test/child2 stopped',
      'sup_test/child2 failed',
      'sup_test/child1 stopped',
    ]);
  });
});

describe('group restart_rest_for_one', () => {
  it('rest_for_one: restarts it and those after it, until that is too often', async () => {
    const { sup, refs } = await family('rest_for_one', [child('child1'), child('child2'), child('child3')]);
    await sup.terminate('child2', 'abnormal');
    expect(refs.map((ref) => sup.end(ref))).toEqual(['alive', 'error', 'shutdown']);
    expect(sup.which()).toEqual(running('child1', 'child2', 'child3'));
    expect(sup.pid('child1').address).toBe(refs[0]?.address);
    expect(sup.counts()).toEqual([3, 3, 0, 3]);
    const [, second] = addresses(sup, 'child1', 'child2', 'child3');
    await sup.terminate('child3', 'abnormal');
    expect(sup.pid('child2').address).toBe(second);
    await sup.terminate('child2', 'abnormal');
    expect(sup.end(sup.ref)).toBe('error');
  });

  it('rest_for_one_escalation', async () => {
    const { sup, refs } = await family('rest_for_one', [child('child1'), cannotRestart('child2')], FIVE);
    await sup.terminate('child1', 'abnormal');
    expect(refs.map((ref) => sup.end(ref))).toEqual(['error', 'shutdown']);
    expect(sup.end(sup.ref)).toBe('error');
  });

  it('rest_for_one_other_child_fails_restart: what came back before it stays', async () => {
    const shaky = child('child2', { start: (count) => (count === 2 ? 'error' : 'ok') });
    const { sup } = await family('rest_for_one', [child('child1'), shaky], { ...TWICE, max: 3 });
    await sup.terminate('child1', 'abnormal');
    expect(sup.which()).toEqual(running('child1', 'child2'));
    const restarts = sup
      .api()
      .children()
      .map((info) => info.restarts);
    expect(restarts).toEqual([1, 2]);
  });
});

describe('simple_one_for_one_restart_ignore', () => {
  it.each(['transient', 'permanent'] as const)(
    'a %s child that is no longer needed is forgotten',
    async (restart) => {
      const sup = await Sup.start({ strategy: 'dynamic', intensity: UNLIMITED });
      await sup.startChild(child('child1', { restart, start: (count) => (count < 3 ? 'ok' : 'ignore') }));
      await sup.terminate('child1', 'kill');
      expect(sup.which()).toEqual(running('child1'));
      await sup.terminate('child1', 'kill');
      expect(sup.which()).toEqual([]);
      await sup.stop();
      expect(sup.end(sup.ref)).toBe('shutdown');
    },
  );
});

describe('tree', () => {
  it('restarts what failed and no more; over the budget the subtree anew, without what was added to it', async () => {
    const sup = await Sup.start({ strategy: 'one_for_all', intensity: FIVE });
    const inner = (id: string, children: readonly ChildSpec[], rest: Partial<ChildSpec> = {}): ChildSpec => ({
      ...supervisor(id, { intensity: FIVE, children }),
      ...rest,
    });
    await sup.startChild(inner('supchild1', [child('child1'), child('child2')]));
    await sup.startChild(inner('supchild2', []));
    await sup.startChild(inner('supchild3', [], { restart: 'transient' }));
    await sup.do('terminateChild', 'supchild3');
    expect(sup.counts()).toEqual([3, 2, 3, 0]);
    const one = 'sup_test/supchild1';
    const two = 'sup_test/supchild2';
    const before = [sup.pid('child1', one).address, sup.pid('child2', one).address];
    const third = await sup.startChild(cannotRestart('child3'), two);
    const fourth = await sup.startChild(child('child4'), two);
    await sup.terminate(fourth, 'abnormal');
    expect([sup.pid('child1', one).address, sup.pid('child2', one).address]).toEqual(before);
    expect(sup.pid('child3', two).address).toBe(third.address);
    expect(sup.pid('child4', two).address).not.toBe(fourth.address);
    // One that cannot be restarted ends its supervisor, and with that all are made anew.
    await sup.terminate(third, 'abnormal');
    expect(sup.which()).toEqual(running('supchild1', 'supchild2', 'supchild3'));
    expect(sup.counts()).toEqual([3, 3, 3, 0]);
    expect(sup.counts(one)).toEqual([2, 2, 0, 2]);
    expect(sup.counts(two)).toEqual([0, 0, 0, 0]);
    expect(sup.counts('sup_test/supchild3')).toEqual([0, 0, 0, 0]);
    expect(before).not.toContain(sup.pid('child1', one).address);
  });
});

describe('simple_global_supervisor', () => {
  const middle = (): ChildSpec =>
    supervisor('middle', {
      strategy: 'one_for_all',
      intensity: { max: 3, within: 60_000 },
      children: [{ ...child('child', { shutdown: 2_000 }), name: 'server' }],
    });
  const path = 'sup_test/middle';
  const ENDINGS: readonly (readonly [string, (sup: Sup) => Promise<void>])[] = [
    ['kill_supervisor', (sup) => sup.terminate(sup.pid('middle'), 'kill')],
    ['kill_worker', (sup) => sup.terminate(sup.pid('child', path), 'kill')],
    ['exit_worker', (sup) => sup.terminate(sup.pid('child', path), 'normal')],
    [
      'restart_worker',
      async (sup) => {
        await sup.bench.settle(sup.api(path).terminateChild('child'));
        await sup.bench.settle(sup.api(path).restartChild('child'));
      },
    ],
  ];
  it.each(ENDINGS)('%s: the name is held by a new incarnation', async (_name, end) => {
    const sup = await Sup.start({ strategy: 'one_for_all', children: [middle()] });
    const before = sup.pid('child', path);
    await end(sup);
    expect(sup.end(before)).not.toBe('alive');
    const after = sup.pid('child', path);
    expect(after.address).not.toBe(before.address);
    expect(sup.bench.system.named('server').path).toBe('server');
    expect(sup.bench.system.named('server').send({ type: 'SLEEP' })).toBe('sent');
  });
});
