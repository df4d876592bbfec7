import { describe, expect, it } from 'vitest';
import { CachedDirectory } from '../../src/actors/edge/directory.ts';
import { LIMITS } from '../../src/limits.ts';
import type { ProjectHandle } from '../../src/protocol/project.ts';
import { projectHandle } from '../support/edge-ports.ts';

/** A directory whose questions the test answers, in any order. */
function scripted() {
  const asked: { ref: string; answer: PromiseWithResolvers<ProjectHandle | null> }[] = [];
  const directory = new CachedDirectory((ref) => {
    const answer = Promise.withResolvers<ProjectHandle | null>();
    asked.push({ ref, answer });
    return answer.promise;
  });
  const reply = async (question: number, handle: ProjectHandle | null): Promise<void> => {
    asked[question]?.answer.resolve(handle);
    await asked[question]?.answer.promise;
    await Promise.resolve();
  };
  return { directory, asked, reply };
}

describe('projects as an edge worker knows them', () => {
  it('are asked for once, also by many at a time, and then answered in the same turn', async () => {
    const { directory, asked, reply } = scripted();
    const both = [directory.find('a'), directory.find('a')];
    const handle = projectHandle('a');
    await reply(0, handle);
    expect(await Promise.all(both)).toEqual([handle, handle]);
    expect(directory.find('a')).toBe(handle);
    expect(asked).toHaveLength(1);
  });

  it('are asked for again after a miss: it may have been made since', async () => {
    const { directory, asked, reply } = scripted();
    const first = directory.find('a');
    await reply(0, null);
    expect(await first).toBeNull();
    void directory.find('a');
    expect(asked).toHaveLength(2);
  });

  it('are asked for again after a failure, which only those see who waited for it', async () => {
    const { directory, asked, reply } = scripted();
    const first = directory.find('a');
    asked[0]?.answer.reject(new Error('no answer'));
    await expect(first).rejects.toThrow('no answer');
    const second = directory.find('a');
    const handle = projectHandle('a');
    await reply(1, handle);
    expect(await second).toBe(handle);
    expect(directory.find('a')).toBe(handle);
  });

  it('are not kept from an answer that a change overtook', async () => {
    const { directory, asked, reply } = scripted();
    void directory.find('a');
    directory.invalidate('a');
    await reply(0, projectHandle('a'));
    void directory.find('a');
    expect(asked).toHaveLength(2);
  });

  it('are kept from the newest ask alone, whichever answer comes last', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const { directory, asked, reply } = scripted();
      void directory.find('a');
      directory.invalidate('a');
      void directory.find('a');
      const answers = [projectHandle('a', [], 1), projectHandle('a', [], 2)];
      for (const question of order) await reply(question, answers[question] ?? null);
      expect(directory.find('a')).toBe(answers[1]);
      expect(asked).toHaveLength(2);
    }
  });

  it('tell who listens of every change, until he stops listening', () => {
    const { directory } = scripted();
    const heard: string[] = [];
    const stop = directory.onChange((ref) => heard.push(ref));
    directory.invalidate('a');
    stop();
    directory.invalidate('b');
    expect(heard).toEqual(['a']);
  });

  it('are all asked again where changes may have gone unheard, and who listens is told of each', async () => {
    const { directory, asked, reply } = scripted();
    const heard: string[] = [];
    directory.onChange((ref) => heard.push(ref));
    void directory.find('a');
    await reply(0, projectHandle('a'));
    void directory.find('b');
    expect(directory.invalidateAll()).toEqual(['a', 'b']);
    expect(heard).toEqual(['a', 'b']);
    await reply(1, projectHandle('b'));
    void directory.find('a');
    void directory.find('b');
    expect(asked).toHaveLength(4);
  });

  it('are bounded: the one known longest gives way', async () => {
    const { directory, asked, reply } = scripted();
    for (let n = 0; n <= LIMITS.projectSessions; n += 1) {
      void directory.find(`p${n}`);
      await reply(n, projectHandle(`p${n}`));
    }
    expect(directory.find('p1')).not.toBeInstanceOf(Promise);
    expect(directory.find('p0')).toBeInstanceOf(Promise);
    expect(asked).toHaveLength(LIMITS.projectSessions + 2);
  });
});
