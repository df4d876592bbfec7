import { describe, expect, it } from 'vitest';
import { ProjectTurns } from '../../src/actors/gate/project-turns.ts';
import { TURN_LIMITS } from '../../src/limits-turns.ts';

const { projectTurn } = TURN_LIMITS;

/** Turns of an event loop that the test moves on by itself. */
function rig() {
  const deferred: (() => void)[] = [];
  const began: string[] = [];
  const turns = new ProjectTurns<string, { readonly destroyed: boolean }>(
    { defer: (callback) => void deferred.push(callback) },
    (request) => void began.push(request),
  );
  return {
    ...{ turns, began, deferred },
    offer: (ref: string, count: number, destroyed = false): boolean[] =>
      Array.from({ length: count }, (_, at) => turns.offer(ref, `${ref}${at + 1}`, { destroyed })),
    /** What begins in the next turn. */
    next: (): string[] => {
      const before = began.length;
      for (const callback of deferred.splice(0)) callback();
      return began.slice(before);
    },
    take: (): string[] => began.splice(0),
  };
}

describe('the turns of projects on an edge worker', () => {
  it('lets a request begin at once that comes after many of another project', () => {
    const { offer, began } = rig();
    offer('noisy', 100);
    offer('quiet', 1);
    expect(began).toEqual(['noisy1', 'noisy2', 'noisy3', 'noisy4', 'quiet1']);
  });

  it('begins what waits in its order, a few in each later turn', () => {
    const { offer, began, next, deferred } = rig();
    offer('noisy', 10);
    expect(began).toHaveLength(projectTurn);
    expect(next()).toEqual(['noisy5', 'noisy6', 'noisy7', 'noisy8']);
    expect(next()).toEqual(['noisy9', 'noisy10']);
    expect(deferred).toEqual([]);
  });

  it('takes waiting projects one after the other', () => {
    const { offer, next } = rig();
    offer('a', 10);
    offer('b', 6);
    expect(next()).toEqual(['a5', 'b5', 'a6', 'b6']);
    expect(next()).toEqual(['a7', 'a8', 'a9', 'a10']);
  });

  it('lets nothing of a project pass what of it waits', () => {
    const { turns, offer, began, next } = rig();
    offer('noisy', 6);
    next();
    turns.offer('noisy', 'later', { destroyed: false });
    expect(began).toEqual(['noisy1', 'noisy2', 'noisy3', 'noisy4', 'noisy5', 'noisy6', 'later']);
    offer('noisy', 9);
    turns.offer('noisy', 'last', { destroyed: false });
    next();
    next();
    expect(began.at(-1)).toBe('noisy9');
    next();
    expect(began.at(-1)).toBe('last');
  });

  it('asks for no turn while fewer have begun than one project may', () => {
    const { offer, deferred, next, began } = rig();
    offer('a', projectTurn - 1);
    expect(deferred).toEqual([]);
    offer('b', 1);
    expect(deferred).toHaveLength(1);
    next();
    offer('a', projectTurn);
    expect(began).toHaveLength(2 * projectTurn);
  });

  it('does not begin what has gone, and gives its turn to the next', () => {
    const { offer, take, next } = rig();
    offer('noisy', projectTurn);
    offer('noisy', 20, true);
    offer('other', projectTurn + 1);
    take();
    expect(next()).toEqual([`other${projectTurn + 1}`]);
  });

  it('refuses what is beyond the bound, of that project alone', () => {
    const { turns, offer } = rig();
    const taken = offer('noisy', projectTurn + TURN_LIMITS.projectWaiting);
    expect(taken.every(Boolean)).toBe(true);
    expect(offer('noisy', 1)).toEqual([false]);
    expect(offer('quiet', 1)).toEqual([true]);
    expect(turns.stats()).toEqual({
      waiting: TURN_LIMITS.projectWaiting,
      waited: TURN_LIMITS.projectWaiting,
      refused: 1,
    });
  });

  it('remembers a bounded number of projects, and forgets none that waits', () => {
    const { turns, offer, next } = rig();
    offer('noisy', projectTurn + 1);
    for (let at = 0; at < 2 * TURN_LIMITS.projects; at += 1) offer(`p${at}-`, 1);
    expect(turns.stats().waiting).toBe(1);
    expect(next()).toEqual([`noisy${projectTurn + 1}`]);
  });
});
