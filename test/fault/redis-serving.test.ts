import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisEngine } from '../../src/actors/storage/redis/engine.ts';
import { isPublicError } from '../../src/errors.ts';
import { insert, select } from '../contract/engine/subject.ts';
import { type ManagedRedis, managedRedis } from '../support/managed-redis.ts';
import { service } from '../support/services/index.ts';

const REF = 'serving';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(!service('redis').available)('a redis-server killed with SIGKILL under load', () => {
  let redis: ManagedRedis;
  let engine: RedisEngine;
  /** As an edge worker does: who was refused is set up anew. */
  const lost: string[] = [];

  beforeAll(async () => {
    redis = await managedRedis();
    engine = await redis.engine(REF, (why) => {
      lost.push(why);
      redis.provider.connect(REF).catch(() => {});
    });
    await engine.execute(insert([{ id: 0 }]), redis.context(REF));
    await engine.native?.(['MAG.INDEX', 'CREATE', 'items', 'group'], redis.context(REF));
  });
  afterAll(() => redis.stop());

  it('answers 503 with retry-after, works again by itself, and has everything it acknowledged, indexes too', async () => {
    const acknowledged = new Set<number>();
    const failures: { code: string; status: number; retryAfter: number | null }[] = [];
    let next = 0;
    let going = true;
    const writer = async (): Promise<void> => {
      while (going) {
        next += 1;
        const id = next;
        try {
          await engine.execute(insert([{ id, group: id % 3 }]), redis.context(REF, 2_000));
          acknowledged.add(id);
        } catch (error) {
          expect(isPublicError(error)).toBe(true);
          failures.push(error as (typeof failures)[number]);
          await pause(5);
        }
      }
    };
    const writers = Array.from({ length: 8 }, writer);
    for (let round = 0; round < 2; round += 1) {
      await pause(200);
      process.kill(redis.server.pid ?? 0, 'SIGKILL');
      expect(await redis.server.exited).toContain('SIGKILL');
      await pause(50);
      await redis.restart();
      const before = acknowledged.size;
      await expect.poll(() => acknowledged.size, { timeout: 10_000 }).toBeGreaterThan(before + 10);
    }
    going = false;
    await Promise.all(writers);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.filter(({ status, retryAfter }) => status !== 503 || retryAfter === null)).toEqual([]);
    expect(new Set(lost)).toEqual(new Set(['unreachable', '28P01']));
    const { json } = await engine.execute(select({ limit: 100_000 }), redis.context(REF));
    const stored = new Map(
      (JSON.parse(json) as { id: number; group?: number }[]).map((row) => [row.id, row.group]),
    );
    expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([]);
    const where = {
      kind: 'compare',
      column: { name: 'group' },
      op: 'eq',
      value: '1',
      negated: false,
    } as const;
    const found = await engine.execute(select({ where, limit: 100_000 }), redis.context(REF));
    const expected = [...stored].filter(([, group]) => group === 1).map(([id]) => id);
    expect((JSON.parse(found.json) as { id: number }[]).map(({ id }) => id)).toEqual(expected);
  }, 30_000);

  it('that hangs costs each request its own deadline, and no more', async () => {
    const pid = redis.server.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    const started = redis.host.now();
    const outcome = await engine.execute(select(), redis.context(REF, 150)).catch((error: unknown) => error);
    process.kill(pid, 'SIGCONT');
    expect(outcome).toMatchObject({ code: '57014', status: 504 });
    expect(redis.host.now() - started).toBeLessThan(2_000);
    const { rowCount } = await engine.execute(select({ limit: 1 }), redis.context(REF));
    expect(rowCount).toBe(1);
  });

  it('ends a reply that would fill the memory of its reader, and nothing else', async () => {
    const push = ['RPUSH', 'list', ...Array.from({ length: 500 }, () => 'x'.repeat(16_000))];
    for (let round = 0; round < 18; round += 1) await engine.native?.(push, redis.context(REF));
    const outcome = engine.native?.(['LRANGE', 'list', 0, -1], redis.context(REF));
    await expect(outcome).rejects.toMatchObject({ status: 503 });
    expect((await engine.execute(select({ limit: 1 }), redis.context(REF))).rowCount).toBe(1);
  });

  it('that is out of memory refuses writes, reads on, and lets go of what is deleted', async () => {
    const admin = await redis.admin();
    const before = String(((await admin.call('CONFIG', 'GET', 'maxmemory')) as string[])[1]);
    expect(Number(before)).toBeGreaterThan(1024 * 1024);
    await admin.call('CONFIG', 'SET', 'maxmemory', '1mb');
    const write = insert([{ id: 'late', text: 'x'.repeat(1_000) }]);
    await expect(engine.execute(write, redis.context(REF))).rejects.toMatchObject({
      code: '53200',
      status: 503,
    });
    expect((await engine.execute(select({ limit: 1 }), redis.context(REF))).rowCount).toBe(1);
    const gone = { kind: 'delete', schema: 'public', table: 'items' } as const;
    expect((await engine.execute(gone, redis.context(REF))).rowCount).toBeGreaterThan(0);
    await admin.call('CONFIG', 'SET', 'maxmemory', before);
    expect((await engine.execute(write, redis.context(REF))).rowCount).toBe(1);
  });
});
