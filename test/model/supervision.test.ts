import { describe, expect, it } from 'vitest';
import type { Plan, SupervisorPlan } from './plan.ts';
import { FAULT, Model } from './supervision.ts';

const CRASH = { kind: 'error', cause: FAULT } as const;

const worker = (id: string, more: Partial<Plan> = {}): Plan => ({
  id,
  restart: 'permanent',
  significant: false,
  delay: 0,
  brutal: false,
  supervisor: null,
  ...more,
});

const over = (
  id: string,
  children: readonly Plan[],
  how: Partial<SupervisorPlan> = {},
  more: Partial<Plan> = {},
): Plan => ({
  ...worker(id, more),
  supervisor: { strategy: 'one_for_one', max: 5, within: 1_000, autoShutdown: 'never', children, ...how },
});

/** A started model, and how to see what was logged since the last look, without the root's name. */
const started = (plan: Plan): { readonly model: Model; readonly said: () => string } => {
  const model = new Model(plan);
  model.start();
  let seen = 0;
  const said = (): string => {
    const spoken = model.log.slice(seen).filter((line) => !line.startsWith('~'));
    const lines = spoken.map((line) => line.replace(`${plan.id}/`, ''));
    seen = model.log.length;
    return lines.join(' ');
  };
  return { model, said };
};

describe('the reference model', () => {
  it('starts in order and stops in reverse, through all depths', () => {
    const { model, said } = started(
      over('r', [worker('a'), over('s', [worker('b'), worker('c')]), worker('d')]),
    );
    expect(said()).toBe('+a +s/b +s/c +d');
    model.stop();
    expect(said()).toBe('-d -s/c -s/b -a');
  });

  it('restarts one, all, or the rest, by the strategy', () => {
    const of = (strategy: SupervisorPlan['strategy']): string => {
      const { model, said } = started(over('r', [worker('a'), worker('b'), worker('c')], { strategy }));
      said();
      model.end('r/b', CRASH);
      return said();
    };
    expect(of('one_for_one')).toBe('-b +b');
    expect(of('one_for_all')).toBe('-b -c -a +a +b +c');
    expect(of('rest_for_one')).toBe('-b -c +b +c');
  });

  it('leaves a temporary child away, alone and with its group', () => {
    const children = [worker('a'), worker('b', { restart: 'temporary' }), worker('c')];
    const { model, said } = started(over('r', children, { strategy: 'one_for_all' }));
    said();
    model.end('r/a', CRASH);
    expect(said()).toBe('-a -c -b +a +c');
    expect(model.listing().map(({ path }) => path)).toEqual(['r/a', 'r/c']);
  });

  it('restarts a transient child after a failure, not after a clean end', () => {
    const { model, said } = started(over('r', [worker('a', { restart: 'transient' })]));
    said();
    model.end('r/a', CRASH);
    expect(said()).toBe('-a +a');
    model.end('r/a', { kind: 'normal' });
    expect(said()).toBe('-a');
    expect(model.listing()).toEqual([{ path: 'r/a', life: 'down', restarts: 1 }]);
  });

  it('gives up above the intensity, and its supervisor restarts it with all that is below', () => {
    const inner = over('s', [worker('a'), worker('b')], { max: 1, within: 10 });
    const { model, said } = started(over('r', [inner]));
    said();
    model.end('r/s/a', CRASH);
    model.advance(10);
    model.end('r/s/b', CRASH);
    expect(said()).toBe('-s/a +s/a -s/b -s/a +s/a +s/b');
    expect(model.escalated).toEqual(['r/s']);
  });

  it('forgets restarts that are older than the window', () => {
    const { model } = started(over('r', [worker('a')], { max: 1, within: 10 }));
    for (let n = 0; n < 5; n += 1) {
      model.end('r/a', CRASH);
      model.advance(11);
    }
    expect(model.fate).toBe('up');
    model.end('r/a', CRASH);
    model.end('r/a', CRASH);
    expect(model.fate).toBe('failed');
    expect(model.failure).toEqual({ gaveUp: 'r', because: FAULT });
  });

  it('burns its budget with restarts that fail, and tries again', () => {
    const { model, said } = started(
      over('r', [worker('a'), worker('b')], { max: 3, strategy: 'one_for_all' }),
    );
    said();
    model.breakStarts('r/b', 2);
    model.end('r/a', CRASH);
    expect(said()).toBe('-a -b +a !b -a +a !b -a +a +b');
    model.end('r/a', CRASH);
    expect(model.fate).toBe('failed');
  });

  it('ends with its significant children: with any, or with the last', () => {
    const children = [
      worker('a', { restart: 'transient', significant: true }),
      worker('b', { restart: 'temporary', significant: true }),
      worker('c'),
    ];
    const any = started(over('r', children, { autoShutdown: 'any_significant' }));
    any.said();
    any.model.end('r/b', CRASH);
    expect(any.said()).toBe('-b -c -a');
    expect(any.model.fate).toBe('ended');
    const all = started(over('r', children, { autoShutdown: 'all_significant' }));
    all.model.end('r/b', CRASH);
    expect(all.model.fate).toBe('up');
    all.model.end('r/a', { kind: 'shutdown' });
    expect(all.model.fate).toBe('ended');
  });

  it('does not end with significant children that go down with a group, or that are terminated', () => {
    const children = [
      worker('a', { restart: 'transient', significant: true }),
      worker('b', { restart: 'temporary', significant: true }),
      worker('c'),
    ];
    const { model } = started(
      over('r', children, { autoShutdown: 'any_significant', strategy: 'one_for_all' }),
    );
    model.end('r/c', CRASH);
    expect(model.listing().map(({ path }) => path)).toEqual(['r/a', 'r/c']);
    model.terminateChild('r', 'a');
    expect(model.fate).toBe('up');
  });

  it('waits before a restart with its whole group down, and an earlier crash takes over', () => {
    const children = [worker('a', { delay: 10 }), worker('b', { delay: 30 }), worker('c')];
    const { model, said } = started(over('r', children, { strategy: 'rest_for_one' }));
    said();
    model.end('r/b', CRASH);
    model.advance(29);
    expect(said()).toBe('-b -c');
    model.end('r/a', CRASH);
    model.advance(9);
    expect(said()).toBe('-a');
    model.advance(1);
    expect(said()).toBe('+a +b +c');
    model.advance(100);
    expect(said()).toBe('');
  });

  it('starts a supervisor only with all its children, and leaves nothing of one that did not start', () => {
    const { model, said } = started(over('r', [worker('a')]));
    said();
    model.breakStarts('r/s/c', 1);
    const plan = over('s', [worker('b'), worker('c'), worker('d')]);
    expect(model.startChild('r', plan)).toBe('start_failed');
    expect(said()).toBe('+s/b !s/c -s/b');
    expect(model.startChild('r', plan)).toBe('ok');
    expect(model.startChild('r', plan)).toBe('duplicate');
  });

  it('answers what is asked of a child that is up, down, waiting or not there', () => {
    const { model } = started(over('r', [worker('a', { delay: 10 }), worker('b')]));
    expect(model.restartChild('r', 'b')).toBe('running');
    expect(model.deleteChild('r', 'b')).toBe('running');
    expect(model.terminateChild('r', 'b')).toBe('ok');
    model.breakStarts('r/b', 1);
    expect(model.restartChild('r', 'b')).toBe('start_failed');
    expect(model.restartChild('r', 'b')).toBe('ok');
    model.end('r/a', CRASH);
    expect(model.restartChild('r', 'a')).toBe('restarting');
    expect(model.deleteChild('r', 'a')).toBe('restarting');
    expect(model.terminateChild('r', 'a')).toBe('ok');
    model.advance(20);
    expect(model.deleteChild('r', 'a')).toBe('ok');
    expect(model.deleteChild('r', 'a')).toBe('not_found');
  });

  it('restarts with a group who had ended or was terminated, but nobody whom an operator holds', () => {
    const children = [worker('a'), worker('b'), worker('c'), worker('d', { restart: 'transient' })];
    const { model, said } = started(over('r', children, { strategy: 'one_for_all' }));
    model.terminateChild('r', 'b');
    model.hold('r', 'c');
    model.end('r/d', { kind: 'normal' });
    said();
    model.end('r/a', CRASH);
    expect(said()).toBe('-a +a +b +d');
    expect(model.restartChild('r', 'c')).toBe('ok');
    model.end('r/a', CRASH);
    expect(said()).toBe('+c -a -d -c -b +a +b +c +d');
  });

  it('puts another plan in the place of a child, and the old one back where that does not start', () => {
    const { model, said } = started(over('r', [worker('a'), worker('b')]));
    said();
    expect(model.replaceChild('r', worker('a', { restart: 'transient' }))).toBe('ok');
    model.end('r/a', { kind: 'normal' });
    expect(said()).toBe('-a +a -a');
    model.breakStarts('r/b', 1);
    expect(model.replaceChild('r', worker('b', { restart: 'temporary' }))).toBe('start_failed');
    model.end('r/b', CRASH);
    expect(said()).toBe('-b !b +b -b +b');
  });
});
