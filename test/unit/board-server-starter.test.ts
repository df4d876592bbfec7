import { describe, expect, it } from 'vitest';
import type { ServerAddress } from '../../src/actors/storage/postgres/server.ts';
import { ServerStarter } from '../../src/board/server-starter.ts';
import { LIMITS } from '../../src/limits.ts';
import { virtualHost } from '../../src/testing/virtual-host.ts';

const ADDRESS: ServerAddress = { host: '127.0.0.1', port: 5432, user: 'postgres', password: 'secret' };

/** A server whose starts the test decides. */
function rig() {
  const host = virtualHost(7);
  const told: (string | null)[] = [];
  const failures: unknown[] = [];
  const made: { stopped: number; exit: (reason: string) => void }[] = [];
  let problem: string | null = null;
  const starter = new ServerStarter({
    engine: 'postgres',
    context: { host, degraded: () => {}, fail: (error) => void failures.push(error) },
    report: (why) => void told.push(why),
    make: async () => {
      const exited = Promise.withResolvers<string>();
      const server = { stopped: 0, exit: exited.resolve };
      made.push(server);
      return {
        pid: 42,
        detail: null,
        exited: exited.promise,
        start: async () => {
          if (problem !== null) throw new Error(problem);
          return ADDRESS;
        },
        stop: async () => {
          server.stopped += 1;
          exited.resolve('stopped');
        },
      };
    },
  });
  const breaks = (why: string | null): void => {
    problem = why;
  };
  return { host, starter, told, failures, made, breaks };
}

describe('the embedded server', () => {
  it('starts with the first who asks, once for all who do', async () => {
    const { starter, made, told } = rig();
    expect(made).toHaveLength(0);
    expect(await Promise.all([starter.address(), starter.address()])).toEqual([ADDRESS, ADDRESS]);
    expect(made).toHaveLength(1);
    expect(told).toEqual([null]);
  });

  it('that does not start is a typed 503 for who asks, a report, and no crash', async () => {
    const { starter, made, told, failures, breaks } = rig();
    breaks('no shared memory');
    for (const _ of [1, 2]) {
      await expect(starter.address()).rejects.toMatchObject({ code: 'MAG_ENGINE_UNAVAILABLE', status: 503 });
    }
    expect(made.map((server) => server.stopped)).toEqual([1]);
    expect(told).toEqual(['no shared memory']);
    expect(failures).toEqual([]);
  });

  it('is tried again by itself, later and later, and serves once it starts', async () => {
    const { host, starter, made, told, breaks } = rig();
    breaks('no shared memory');
    await expect(starter.address()).rejects.toThrow('no shared memory');
    await host.advance(10 * 60_000);
    const tries = made.length;
    expect(tries).toBeGreaterThan(20);
    expect(tries).toBeLessThan((10 * 60_000) / (LIMITS.backoffCapMs / 4));
    breaks(null);
    await host.advance(LIMITS.backoffCapMs);
    expect(await starter.address()).toEqual(ADDRESS);
    expect(told.at(-1)).toBeNull();
    expect(made).toHaveLength(tries + 1);
  });

  it('that dies while it serves is a crash; one that was stopped is none', async () => {
    const dying = rig();
    await dying.starter.address();
    dying.made[0]?.exit('PostgreSQL ended with SIGKILL');
    await dying.host.runUntilIdle();
    expect(dying.failures).toHaveLength(1);
    const stopped = rig();
    await stopped.starter.address();
    await stopped.starter.stop();
    await stopped.host.runUntilIdle();
    expect(stopped.failures).toEqual([]);
  });

  it('is not tried again once it was stopped', async () => {
    const { host, starter, made, breaks } = rig();
    breaks('no shared memory');
    await expect(starter.address()).rejects.toThrow();
    await starter.stop();
    await host.advance(60_000);
    expect(made).toHaveLength(1);
  });
});
