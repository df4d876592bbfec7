import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';

/** What an insert came to, as supabase-js tells it. */
interface Written {
  readonly status: number;
  readonly error: unknown;
}

/**
 * Four writers insert one id after another while a server is killed, until twenty more are acknowledged than before.
 * Nothing but success and 503 may be said meanwhile.
 */
export async function writeThroughKill(
  insert: (id: number) => PromiseLike<Written>,
  kill: () => void,
): Promise<{ readonly acknowledged: ReadonlySet<number>; readonly sawOutage: boolean }> {
  const acknowledged = new Set<number>();
  const statuses = new Set<number>();
  let going = true;
  const writer = async (first: number): Promise<void> => {
    for (let id = first; going; id += 4) {
      const { status, error } = await insert(id);
      statuses.add(status);
      if (error === null) acknowledged.add(id);
      else await sleep(20);
    }
  };
  const writers = [1, 2, 3, 4].map(writer);
  try {
    await expect.poll(() => acknowledged.size, { timeout: 10_000 }).toBeGreaterThan(20);
    kill();
    const before = acknowledged.size;
    await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(before + 20);
  } finally {
    going = false;
    await Promise.all(writers);
  }
  expect([...statuses].filter((status) => status !== 201 && status !== 503)).toEqual([]);
  return { acknowledged, sawOutage: statuses.has(503) };
}
