import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSqliteLog } from '../../src/streams/log/log-sqlite.ts';
import { bytesOf, clockedHost, textOf } from '../support/log-host.ts';
import { testFolder } from '../support/temporary-folder.ts';

const COUNT = 30;
const PARTS = ['log.db', 'log.db-wal'];

/** What a kill leaves of a log of COUNT records, each of its own transaction. */
async function leftBehind(folder: string): Promise<void> {
  const path = join(folder, 'live', 'log.db');
  const log = openSqliteLog({ path, host: clockedHost() });
  for (let n = 0; n < COUNT; n += 1) await log.append([bytesOf(`${n}`.padEnd(300))]);
  for (const part of PARTS) copyFileSync(join(folder, 'live', part), join(folder, part));
  await log.close();
}

async function openOrRefuse(path: string): Promise<readonly string[] | 'refused'> {
  try {
    const log = openSqliteLog({ path, host: clockedHost() });
    const records = await log.read(0, 1_000_000);
    await log.close();
    return records.map((record) => textOf(record.data).trim());
  } catch (error) {
    expect(error).toMatchObject({ code: 'MAG_LOG_CORRUPT' });
    return 'refused';
  }
}

describe('a log in SQLite that was damaged after a kill', () => {
  it('is refused or lacks at most its last transactions, where SQLite alone would lose any number of them', async () => {
    const folder = testFolder();
    await leftBehind(folder);
    const wal = readFileSync(join(folder, 'log.db-wal'));
    let refused = 0;
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(wal.length - 1), fc.nat(7), async (at, bit) => {
        run += 1;
        const copy = join(folder, `copy-${run}`);
        mkdirSync(copy);
        for (const part of PARTS)
          if (existsSync(join(folder, part))) copyFileSync(join(folder, part), join(copy, part));
        const damaged = Buffer.from(wal);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        writeFileSync(join(copy, 'log.db-wal'), damaged);
        const found = await openOrRefuse(join(copy, 'log.db'));
        if (found === 'refused') refused += 1;
        else {
          expect(found).toEqual(Array.from({ length: found.length }, (_, n) => `${n}`));
          // The damaged one, and one more where the field that ends it was hit.
          expect(found.length).toBeGreaterThanOrEqual(COUNT - 2);
        }
      }),
      { numRuns: 120 },
    );
    expect(refused).toBeGreaterThan(60);
  });

  it('is refused where a record in the database itself was changed', async () => {
    const folder = testFolder();
    const path = join(folder, 'log.db');
    const log = openSqliteLog({ path, host: clockedHost() });
    await log.append([bytesOf('a'.repeat(50)), bytesOf('b'.repeat(50))]);
    await log.close();
    const bytes = readFileSync(path);
    bytes.writeUInt8(0x63, bytes.indexOf('b'.repeat(50)) + 10);
    writeFileSync(path, bytes);
    expect(() => openSqliteLog({ path, host: clockedHost() })).toThrow(
      expect.objectContaining({ code: 'MAG_LOG_CORRUPT' }),
    );
  });
});
