import { describe, expect, it } from 'vitest';
import { type ChildSpec, component, IGNORE, type SupervisorOptions, supervisor } from '../../src/index.ts';
import { child, Sup } from '../support/runtime/otp.ts';
import { bench } from '../support/runtime/probe.ts';

const ignored = (id: string, options: Partial<ChildSpec> = {}): ChildSpec =>
  child(id, { ...options, start: () => 'ignore' });

/** Starts a supervisor that cannot start, and gives what came of it. */
const refusal = (options: Partial<SupervisorOptions>) =>
  Sup.start(options).then(
    () => null,
    (error: unknown) => error,
  );

const invalid = (field: string) => ({ code: 'MAG_CHILD_SPEC_INVALID', details: field });

/** A specification from outside the reach of types. */
const faulty = (fields: Record<string, unknown>): ChildSpec =>
  ({ ...child('child'), ...fields }) as ChildSpec;

describe('group sup_start', () => {
  it('sup_start_normal: starts, and ends by a shutdown', async () => {
    const sup = await Sup.start();
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
  });

  it('sup_start_ignore_child: a child that is not needed is kept, without an incarnation', async () => {
    const sup = await Sup.start();
    const one = await sup.startChild(ignored('child1'));
    await sup.startChild(child('child2'));
    expect(one.send({ type: 'DIE', how: 'normal' })).toBe('dead');
    expect(sup.which()).toEqual(['child1 stopped', 'child2 running']);
    expect(sup.counts()).toEqual([2, 1, 0, 2]);
  });

  it('sup_start_ignore_child, of a component whose start takes time', async () => {
    const sup = await Sup.start();
    await sup.startChild(component('child1', () => Promise.resolve<typeof IGNORE>(IGNORE)));
    expect(sup.which()).toEqual(['child1 stopped']);
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
  });

  it('sup_start_ignore_temporary_child: one of the first children leaves no trace', async () => {
    const temporary = { restart: 'temporary' } as const;
    const sup = await Sup.start({ children: [ignored('child1', temporary), child('child2', temporary)] });
    expect(sup.which()).toEqual(['child2 running']);
    expect(sup.counts()).toEqual([1, 1, 0, 1]);
  });

  it('sup_start_ignore_temporary_child_start_child: nor does one added later', async () => {
    const sup = await Sup.start();
    await sup.startChild(ignored('child1', { restart: 'temporary' }));
    await sup.startChild(child('child2', { restart: 'temporary' }));
    expect(sup.which()).toEqual(['child2 running']);
  });

  it.each(['temporary', 'permanent'] as const)(
    'sup_start_ignore_%s_child_start_child_simple: nor does one of a dynamic supervisor',
    async (restart) => {
      const sup = await Sup.start({ strategy: 'dynamic' });
      await sup.startChild(ignored('child1', { restart }));
      await sup.startChild(child('child2', { restart }));
      expect(sup.which()).toEqual(['child2 running']);
      expect(sup.counts()).toEqual([1, 1, 0, 1]);
      await sup.stop();
      expect(sup.end(sup.ref)).toBe('shutdown');
    },
  );

  it('sup_start_error_return: what is no specification is refused, and nothing is left behind', async () => {
    const b = bench();
    const spec = supervisor('sup_test', { children: 'invalid' as never });
    await expect(b.settle(b.system.start(spec))).rejects.toMatchObject(invalid('children'));
    expect(b.system.lookup('sup_test')).toBeUndefined();
  });

  it('sup_start_child_returns_error: a child that cannot start is not added', async () => {
    const sup = await Sup.start();
    await expect(sup.startChild(child('child1', { start: () => 'error' }))).rejects.toThrow('cannot start');
    await expect(
      sup.startChild(component('child2', () => Promise.reject(new Error('reason')))),
    ).rejects.toThrow('reason');
    expect(sup.which()).toEqual([]);
  });

  it('sup_start_restart_child_returns_error: one that cannot start again stays listed', async () => {
    const sup = await Sup.start({
      children: [child('child1', { start: (count) => (count === 1 ? 'ok' : 'error') })],
    });
    await sup.do('terminateChild', 'child1');
    await expect(sup.do('restartChild', 'child1')).rejects.toThrow('cannot start');
    expect(sup.ids()).toEqual(['child1']);
    expect(sup.counts()).toEqual([1, 0, 0, 1]);
    expect(sup.alive).toBe(true);
  });

  it('sup_start_child_returns_error_simple: the same below a dynamic supervisor', async () => {
    const sup = await Sup.start({ strategy: 'dynamic' });
    await expect(sup.startChild(child('child1', { start: () => 'error' }))).rejects.toThrow('cannot start');
    expect(sup.which()).toEqual([]);
  });
});

describe('group sup_start_map', () => {
  it('sup_start_map: the full specification can be read, with its defaults', async () => {
    const sup = await Sup.start({
      children: [
        child('child1'),
        child('child2', { shutdown: 'brutal' }),
        supervisor('child3', { children: [] }),
      ],
    });
    const api = sup.api();
    expect(api.childSpec('child1')).toMatchObject({
      id: 'child1',
      restart: 'permanent',
      shutdown: 5_000,
      significant: false,
    });
    expect(api.childSpec('child2')).toMatchObject({ restart: 'permanent', shutdown: 'brutal' });
    expect(api.childSpec('child3')).toMatchObject({
      shutdown: 'infinity',
      behaviour: { kind: 'supervisor' },
    });
    expect(() => api.childSpec('child4')).toThrow(expect.objectContaining({ code: 'MAG_ACTOR_NOT_FOUND' }));
  });

  it('sup_start_map_simple: also of children of a dynamic supervisor', async () => {
    const sup = await Sup.start({ strategy: 'dynamic' });
    for (const id of ['a', 'b', 'c']) await sup.startChild(child(id, { restart: 'temporary' }));
    for (const id of ['a', 'b', 'c'])
      expect(sup.api().childSpec(id)).toMatchObject({ id, restart: 'temporary', shutdown: 5_000 });
  });

  it('sup_start_map_faulty_specs: a supervisor with a faulty child does not start', async () => {
    expect(await refusal({ children: [faulty({ id: undefined })] })).toMatchObject(invalid('id'));
    expect(await refusal({ children: [faulty({ behaviour: undefined })] })).toMatchObject(
      invalid('behaviour'),
    );
    expect(await refusal({ children: ['child4' as never] })).toMatchObject(invalid('children'));
    // Fields nobody knows are no fault.
    expect(await refusal({ children: [faulty({ silly: true })] })).toBeNull();
  });
});

describe('child_specs and child_specs_map', () => {
  const SIGNIFICANT = { significant: true, restart: 'transient' };
  const FAULTS: readonly (readonly [field: string, fields: Record<string, unknown>])[] = [
    ['id', { id: '' }],
    ['id', { id: 7 }],
    ['id', { id: 'a/b' }],
    ['id', { id: 'a#b' }],
    ['behaviour', { behaviour: 'mfa' }],
    ['behaviour.kind', { behaviour: { kind: 'wrker' } }],
    ['behaviour.logic', { behaviour: { kind: 'light', logic: { init: () => 0 } } }],
    ['behaviour.start', { behaviour: { kind: 'component' } }],
    ['restart', { restart: 'prmanent' }],
    ['shutdown', { shutdown: -10 }],
    ['shutdown', { shutdown: 'soon' }],
    ['significant', { significant: 'maybe' }],
    ['significant', SIGNIFICANT],
    ['mailbox.capacity', { mailbox: { capacity: 0, overflow: 'reject' } }],
    ['mailbox.overflow', { mailbox: { capacity: 1, overflow: 'burst' } }],
    ['startTimeout', { startTimeout: 0 }],
    ['backoff.base', { backoff: { base: -1, cap: 1, resetAfter: 1 } }],
    ['backoff.cap', { backoff: { base: 2, cap: 1, resetAfter: 1 } }],
  ];

  it.each(FAULTS)('a fault of %s is refused and named: %o', async (field, fields) => {
    const sup = await Sup.start();
    await expect(sup.startChild(faulty(fields))).rejects.toMatchObject(invalid(field));
    expect(sup.which()).toEqual([]);
    expect(await refusal({ children: [faulty(fields)] })).toMatchObject(invalid(field));
  });

  const MODES = [undefined, 'never', 'any_significant', 'all_significant'] as const;
  const RESTARTS = [undefined, 'permanent', 'transient', 'temporary'] as const;
  const SHUTDOWNS = [undefined, 0, 1_000, 'infinity', 'brutal'] as const;
  it('every combination is taken, but a significant child that nobody looks at or that never ends', async () => {
    for (const autoShutdown of MODES)
      for (const restart of RESTARTS)
        for (const shutdown of SHUTDOWNS)
          for (const significant of [undefined, true, false]) {
            const spec = faulty({ restart, shutdown, significant });
            const options = autoShutdown === undefined ? {} : { autoShutdown };
            const off = autoShutdown === undefined || autoShutdown === 'never';
            const endless = restart === undefined || restart === 'permanent';
            const refused = await refusal({ ...options, children: [spec] });
            if (significant === true && (off || endless))
              expect(refused).toMatchObject(invalid('significant'));
            else expect(refused).toBeNull();
          }
  });

  it('the same id twice is refused', async () => {
    const children = [child('child', { shutdown: 'infinity' }), child('child')];
    expect(await refusal({ children })).toMatchObject(invalid('id'));
  });
});

describe('sup_flags', () => {
  const FLAGS: readonly (readonly [field: string, options: Record<string, unknown>])[] = [
    ['strategy', { strategy: 'none_for_one' }],
    ['intensity.max', { intensity: { max: Number.POSITIVE_INFINITY, within: 3_600 } }],
    ['intensity.max', { intensity: { max: -1, within: 3_600 } }],
    ['intensity.max', { intensity: { max: 0.5, within: 3_600 } }],
    ['intensity.within', { intensity: { max: 2, within: 0 } }],
    ['intensity.within', { intensity: { max: 2, within: Number.POSITIVE_INFINITY } }],
    ['autoShutdown', { autoShutdown: 'sometimes' }],
  ];
  it.each(FLAGS)('a fault of %s is refused: %o', async (field, options) => {
    expect(await refusal(options)).toMatchObject(invalid(field));
  });

  it('significant_simple: a dynamic supervisor has no auto shutdown', async () => {
    for (const autoShutdown of ['any_significant', 'all_significant'] as const)
      expect(await refusal({ strategy: 'dynamic', autoShutdown })).toMatchObject(invalid('autoShutdown'));
    const sup = await Sup.start({ strategy: 'dynamic', autoShutdown: 'never' });
    await sup.stop();
    expect(sup.end(sup.ref)).toBe('shutdown');
  });
});
