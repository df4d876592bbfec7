import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SessionCache } from '../../src/actors/edge/engine-sessions.ts';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { LIMITS } from '../../src/limits.ts';
import { projectHandle } from '../support/edge-ports.ts';
import { recordingLog } from '../support/recording-log.ts';

/** An engine of which only the life is of interest here. */
class Life implements Engine {
  readonly kind = 'sqlite';
  readonly ref: string;
  readonly version: number;
  closed = 0;

  constructor(ref: string, version: number) {
    this.ref = ref;
    this.version = version;
  }

  execute = (): never => this.#refuse();
  sql = (): never => this.#refuse();
  schema = (): never => this.#refuse();

  async close(): Promise<void> {
    this.closed += 1;
  }

  #refuse(): never {
    throw new Error('not asked for in this test');
  }
}

function cache() {
  const opened: Life[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  let gated = false;
  const recorded = recordingLog();
  const sessions = new SessionCache(async ({ ref, version }) => {
    if (gated) {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
    }
    const life = new Life(ref, version);
    opened.push(life);
    return life;
  }, recorded.log);
  const hold = (): void => {
    gated = true;
  };
  const letGo = (): void => {
    gated = false;
  };
  return { sessions, opened, gates, hold, letGo };
}

describe('open sessions of an edge worker', () => {
  it('are opened once for all who ask at a time, and then given in the same turn', async () => {
    const { sessions, opened } = cache();
    const project = projectHandle('a');
    const [one, two] = await Promise.all([sessions.open(project), sessions.open(project)]);
    expect(one).toBe(two);
    expect(sessions.open(project)).toBe(one);
    expect(opened).toHaveLength(1);
  });

  it('close with a newer version of their project; a request that still holds the older one gets the newer', async () => {
    const { sessions, opened } = cache();
    await sessions.open(projectHandle('a', [], 1));
    const newer = await sessions.open(projectHandle('a', [], 2));
    await turn();
    expect(opened.map((life) => life.closed)).toEqual([1, 0]);
    expect(sessions.open(projectHandle('a', [], 1))).toBe(newer);
    expect(opened).toHaveLength(2);
  });

  it('are opened anew after a failure, which is told to who asked', async () => {
    const { sessions, gates, hold, letGo } = cache();
    hold();
    const first = sessions.open(projectHandle('a'));
    gates[0]?.reject(new Error('no such file'));
    await expect(first).rejects.toThrow('no such file');
    letGo();
    expect((await sessions.open(projectHandle('a'))).kind).toBe('sqlite');
  });

  it('that fail to open do not take away the session that was opened since', async () => {
    const { sessions, gates, hold, letGo } = cache();
    hold();
    const first = sessions.open(projectHandle('a', [], 1));
    letGo();
    const second = await sessions.open(projectHandle('a', [], 2));
    gates[0]?.reject(new Error('too late'));
    await expect(first).rejects.toThrow('too late');
    expect(sessions.open(projectHandle('a', [], 2))).toBe(second);
  });

  it('that are closed while they open are closed as soon as they are open', async () => {
    const { sessions, opened, gates, hold } = cache();
    hold();
    const opening = sessions.open(projectHandle('a'));
    sessions.close('a');
    expect(sessions.size).toBe(0);
    gates[0]?.resolve();
    await opening;
    await turn();
    expect(opened.map((life) => life.closed)).toEqual([1]);
  });

  it('are bounded: the least recently used one closes, however long it is open', async () => {
    const { sessions, opened } = cache();
    for (let n = 0; n < LIMITS.projectSessions; n += 1) await sessions.open(projectHandle(`p${n}`));
    void sessions.open(projectHandle('p0'));
    await sessions.open(projectHandle('one more'));
    await turn();
    expect(opened.filter((life) => life.closed > 0).map((life) => life.ref)).toEqual(['p1']);
    expect(sessions.size).toBe(LIMITS.projectSessions);
  });

  it('are all closed at the end, those on their way out too, and none opens after it', async () => {
    const { sessions, opened, gates, hold, letGo } = cache();
    await sessions.open(projectHandle('a'));
    hold();
    const late = sessions.open(projectHandle('b'));
    sessions.close('b');
    letGo();
    const closing = sessions.closeAll();
    gates[0]?.resolve();
    await Promise.all([late, closing]);
    expect(opened.map((life) => life.closed)).toEqual([1, 1]);
    await expect(sessions.open(projectHandle('c'))).rejects.toMatchObject({
      code: 'MAG_COMPONENT_UNAVAILABLE',
    });
  });
});
