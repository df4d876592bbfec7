import { expect, it } from 'vitest';
import type { SchemaSnapshot } from '../../src/actors/storage/engine.ts';
import { SchemaCache } from '../../src/actors/storage/schema-cache.ts';
import { LIMITS } from '../../src/limits.ts';
import { countingHost } from '../support/counting-host.ts';

const SNAPSHOT: SchemaSnapshot = { version: '1', tables: new Map() };

/** How many looks there are in a minute of requests, on a server that takes `looksFor` milliseconds over each. */
async function looksInAMinute(looksFor: number): Promise<number> {
  const host = countingHost();
  let looks = 0;
  const read = async () => {
    looks += 1;
    await new Promise<void>((resolve) => void host.setTimer(looksFor, resolve));
    return SNAPSHOT;
  };
  const cache = new SchemaCache({ host, read, onChange: () => {} });
  const first = cache.check();
  await host.advance(looksFor);
  await first;
  looks = 0;
  for (let request = 0; request < 600; request += 1) {
    expect(cache.current).toBe(SNAPSHOT);
    await host.advance(100);
  }
  return looks;
}

it('a look at the schema is due once a second, and less often where the server takes long over it', async () => {
  expect(await looksInAMinute(1)).toBeGreaterThan(50);
  const slow = await looksInAMinute(LIMITS.schemaCheckCapMs / LIMITS.schemaCheckRest);
  expect(slow).toBeLessThan(20);
  expect(slow).toBeGreaterThan(10);
});
