import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StorageProcesses } from '../../src/actors/storage/storage-process/storage-processes.ts';
import { isPublicError } from '../../src/errors.ts';
import type { HostProcess } from '../../src/runtime/host.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { virtualHost } from '../../src/testing/virtual-host.ts';

const LIMITS = { processes: 3, perProject: 2, queue: 4, idleMs: 1_000, bytes: Number.POSITIVE_INFINITY };

type Step =
  | { do: 'lease'; ref: string; lane: 'read' | 'write'; owner: string; timeoutMs: number }
  | { do: 'release' | 'cancel' | 'die'; pick: number }
  | { do: 'releaseOwner'; owner: string }
  | { do: 'advance'; ms: number };

const owner = fc.constantFrom('edge-1', 'edge-2');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('lease' as const),
      ref: fc.constantFrom('a', 'b', 'c'),
      lane: fc.constantFrom('read' as const, 'write' as const),
      owner,
      timeoutMs: fc.integer({ min: 1, max: 3_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('release' as const, 'cancel' as const, 'die' as const),
      pick: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('releaseOwner' as const), owner }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 1_500 }) }),
  },
);

interface Held {
  readonly ref: string;
  readonly lane: string;
  readonly socket: string;
  readonly owner: string;
  readonly grantedAt: number;
  readonly until: number;
}

/** A world of processes that take 10 ms to start and 1 ms to die. */
class World {
  readonly host = virtualHost(1);
  readonly alive = new Map<string, () => void>();
  readonly held = new Map<number, Held>();
  asked = 0;
  answered = 0;
  readonly owner: StorageProcesses;

  constructor(runFolder: string) {
    this.owner = new StorageProcesses({
      host: this.host,
      log: silentLog,
      runFolder,
      spawn: (socket) => this.#spawn(socket),
      memoryOf: () => 0,
      limits: LIMITS,
    });
  }

  #spawn(socket: string): HostProcess {
    let exit = (_how: { code: number | null; signal: string | null }): void => {};
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      exit = resolve;
    });
    const die = (signal: string): void => {
      this.alive.delete(socket);
      exit({ code: null, signal });
    };
    this.alive.set(socket, () => die('SIGSEGV'));
    return {
      pid: 1,
      exited,
      kill: (signal) => void this.host.setTimer(1, () => die(signal)),
      onMessage: (listener) => {
        this.host.setTimer(10, () => {
          if (this.alive.has(socket)) listener({ type: 'ready' });
        });
      },
      lastOutput: () => '',
    };
  }

  lease(step: Extract<Step, { do: 'lease' }>): void {
    const { ref, lane, owner, timeoutMs } = step;
    const until = this.host.now() + timeoutMs;
    this.asked += 1;
    this.owner.lease(owner, { ref, lane, timeoutMs }).then(
      ({ id, socket }) => {
        this.answered += 1;
        this.held.set(id, { ref, lane, socket, owner, grantedAt: this.host.now(), until });
      },
      (error: unknown) => {
        this.answered += 1;
        expect(isPublicError(error)).toBe(true);
      },
    );
  }

  async perform(step: Step): Promise<void> {
    if (step.do === 'lease') this.lease(step);
    else if (step.do === 'advance') await this.host.advance(step.ms);
    else if (step.do === 'releaseOwner') {
      this.owner.releaseOwner(step.owner);
      for (const [id, held] of this.held) if (held.owner === step.owner) this.held.delete(id);
    } else if (step.do === 'die') [...this.alive.values()][step.pick]?.();
    else {
      const id = [...this.held.keys()][step.pick];
      if (id === undefined) return;
      this.held.delete(id);
      this.owner[step.do](id);
    }
    await this.host.runUntilIdle();
    for (const [id, held] of this.held) if (!this.alive.has(held.socket)) this.held.delete(id);
  }

  check(): void {
    const running = [...this.held.values()];
    expect(this.owner.list().length).toBeLessThanOrEqual(LIMITS.processes);
    expect(this.owner.waiting).toBeLessThanOrEqual(LIMITS.queue);
    expect(new Set(running.map(({ socket }) => socket)).size).toBe(running.length);
    for (const ref of ['a', 'b', 'c']) {
      const mine = running.filter((held) => held.ref === ref);
      expect(mine.length).toBeLessThanOrEqual(LIMITS.perProject);
      expect(mine.filter(({ lane }) => lane === 'write').length).toBeLessThanOrEqual(1);
    }
    // A statement past its deadline is killed within the millisecond that a kill takes.
    for (const { until } of running) expect(this.host.now()).toBeLessThanOrEqual(until + 1);
  }
}

describe('leases of storage processes', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mag-l-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('keep every bound, answer each request exactly once, and come to rest', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const world = new World(folder);
        for (const each of steps) {
          await world.perform(each);
          world.check();
        }
        await world.host.advance(60_000);
        expect(world.answered).toBe(world.asked);
        expect(world.owner.waiting).toBe(0);
        expect(world.owner.list()).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
