import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Log } from '../../src/streams/log/log.ts';
import { openFileLog } from '../../src/streams/log/log-file.ts';
import { bytesOf, clockedHost, textOf } from '../support/log-host.ts';
import { SimulatedDisk } from '../support/simulated-disk.ts';

const FOLDER = '/log';
/** So small that a run has several segments. */
const SEGMENT = 4 * 1024;

const open = (disk: SimulatedDisk): Promise<Log> =>
  openFileLog({ folder: FOLDER, host: clockedHost(), files: disk, segmentBytes: SEGMENT });

async function contents(log: Log): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let from = log.first; from < log.next; ) {
    const records = await log.read(from, 10_000);
    texts.push(...records.map((record) => textOf(record.data)));
    from = (records.at(-1)?.offset ?? 0) + 1;
  }
  return texts;
}

/** Groups of records: those of a group are appended at once and share a frame. */
const groupsArbitrary = fc.array(fc.array(fc.string({ maxLength: 700 }), { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 12,
});

async function fill(disk: SimulatedDisk, groups: readonly (readonly string[])[]): Promise<Log> {
  const log = await open(disk);
  for (const group of groups) await Promise.all(group.map((text) => log.append([bytesOf(text)])));
  return log;
}

/** Flips one bit somewhere in the files; `at` says where, as a part of all their bytes. */
function flip(disk: SimulatedDisk, at: number, bit: number): void {
  const paths = disk.paths;
  const total = paths.reduce((sum, path) => sum + disk.bytes(path).length, 0);
  let place = Math.floor(at * total);
  for (const path of paths) {
    const bytes = disk.bytes(path);
    if (place < bytes.length) {
      bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
      return;
    }
    place -= bytes.length;
  }
}

/** Half of the flips where there are records: most of a file is the zeros behind them. */
const placeArbitrary = fc.oneof(
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fc.double({ min: 0, max: 0.05, noNaN: true }),
);

async function openOrRefuse(disk: SimulatedDisk): Promise<readonly string[] | 'refused'> {
  try {
    const log = await open(disk);
    const texts = await contents(log);
    await log.close();
    return texts;
  } catch (error) {
    expect(error).toMatchObject({ code: 'MAG_LOG_CORRUPT' });
    return 'refused';
  }
}

describe('a log whose files were damaged', () => {
  it('is refused or holds every record, where it was closed', async () => {
    const seen = { refused: 0, whole: 0 };
    await fc.assert(
      fc.asyncProperty(groupsArbitrary, placeArbitrary, fc.nat(7), async (groups, at, bit) => {
        const disk = new SimulatedDisk();
        await (await fill(disk, groups)).close();
        flip(disk, at, bit);
        const found = await openOrRefuse(disk);
        if (found !== 'refused') expect(found).toEqual(groups.flat());
        seen[found === 'refused' ? 'refused' : 'whole'] += 1;
      }),
      { numRuns: 300 },
    );
    expect(seen.refused).toBeGreaterThan(20);
    expect(seen.whole).toBeGreaterThan(20);
  });

  it('is refused or lacks at most the last write, where it was killed before its seal', async () => {
    await fc.assert(
      fc.asyncProperty(groupsArbitrary, placeArbitrary, fc.nat(7), async (groups, at, bit) => {
        const disk = new SimulatedDisk();
        await fill(disk, groups);
        const killed = disk.copy();
        flip(killed, at, bit);
        const found = await openOrRefuse(killed);
        if (found === 'refused') return;
        const whole = groups.flat();
        expect(found).toEqual(whole.slice(0, found.length));
        expect(found.length).toBeGreaterThanOrEqual(groups.slice(0, -1).flat().length);
      }),
      { numRuns: 200 },
    );
  });

  it('is refused where its last record was damaged after it came to rest, though it was killed', async () => {
    const disk = new SimulatedDisk();
    const log = await fill(disk, [['a'], ['the last']]);
    const path = disk.paths[0] ?? '';
    const end = Buffer.from(disk.bytes(path)).indexOf('the last');
    const isSealed = (): boolean =>
      disk
        .bytes(path)
        .subarray(end + 8, end + 48)
        .some((byte) => byte !== 0);
    expect(isSealed()).toBe(false);
    while (!isSealed()) await new Promise((resolve) => setTimeout(resolve, 2));
    const killed = disk.copy();
    killed.bytes(path)[end] = 0;
    expect(await openOrRefuse(killed)).toBe('refused');
    await log.close();
  });

  it('is refused where acknowledged bytes are missing from its middle', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 600 }), async (place, length) => {
        const disk = new SimulatedDisk();
        const groups = Array.from({ length: 8 }, (_, n) => [`${n}`.repeat(300)]);
        await (await fill(disk, groups)).close();
        const path = disk.paths[0] ?? '';
        const bytes = disk.bytes(path);
        // Inside the first records; the last one stays, and the seal behind it.
        const from = 32 + (place % (5 * 340));
        bytes.fill(0xaa, from, from + length);
        expect(await openOrRefuse(disk)).toBe('refused');
      }),
      { numRuns: 100 },
    );
  });
});

describe('a log on a machine that crashes while it writes', () => {
  it('holds what was acknowledged, whole and once, and nothing but whole groups', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(groupsArbitrary, fc.nat(14), fc.infiniteStream(fc.boolean())), {
          minLength: 1,
          maxLength: 4,
        }),
        async (rounds) => {
          const disk = new SimulatedDisk();
          let known: readonly string[] = [];
          for (const [groups, crashAt, sectors] of rounds) {
            disk.restart((write) =>
              write === crashAt ? { torn: () => sectors.next().value === true } : 'done',
            );
            const { acknowledged, underWay } = await writeUntilCrash(disk, groups);
            disk.restart();
            const found = await openOrRefuse(disk);
            const least = [...known, ...acknowledged];
            expect(found === 'refused' ? found : found.slice(0, least.length)).toEqual(least);
            // What nobody was told of may be there, but only as a whole.
            expect([least, [...least, ...underWay]]).toContainEqual(found);
            known = found === 'refused' ? known : found;
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

/** Appends group by group; a write that never returns ends it. */
async function writeUntilCrash(
  disk: SimulatedDisk,
  groups: readonly (readonly string[])[],
): Promise<{ readonly acknowledged: readonly string[]; readonly underWay: readonly string[] }> {
  const acknowledged: string[] = [];
  const gone = async (): Promise<'gone'> => {
    while (!disk.crashed) await new Promise((resolve) => setImmediate(resolve));
    return 'gone';
  };
  const log = await Promise.race([open(disk), gone()]);
  if (log === 'gone') return { acknowledged, underWay: [] };
  for (const group of groups) {
    const appends = Promise.all(group.map((text) => log.append([bytesOf(text)])));
    if ((await Promise.race([appends, gone()])) === 'gone') return { acknowledged, underWay: group };
    acknowledged.push(...group);
  }
  // Not closed: this process is killed too.
  return { acknowledged, underWay: [] };
}
