import { describe, expect, it, onTestFinished } from 'vitest';
import { BUS_LIMITS } from '../../../src/limits-bus.ts';
import type { Log, LogHost } from '../../../src/streams/log/log.ts';
import { bytesOf, clockedHost, textOf } from '../../support/log-host.ts';

export interface LogSubject {
  readonly name: string;
  readonly isDurable: boolean;
  /** A place for one log; each call of `open` opens that one. */
  place(): { open(host: LogHost): Promise<Log> };
}

const READ = 1024;

async function textsFrom(log: Log, from: number, maxBytes = READ): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let next = from; next < log.next; ) {
    const records = await log.read(next, maxBytes);
    expect(records[0]?.offset).toBe(Math.max(next, log.first));
    texts.push(...records.map((record) => textOf(record.data)));
    next = (records.at(-1)?.offset ?? 0) + 1;
  }
  return texts;
}

const append = (log: Log, ...texts: readonly string[]): Promise<number> => log.append(texts.map(bytesOf));

/** What every log does, whatever it stands on. */
export function logContract(subject: LogSubject): void {
  const opened = async (host: LogHost = clockedHost()): Promise<Log> => {
    const log = await subject.place().open(host);
    onTestFinished(() => log.close());
    return log;
  };

  describe(`${subject.name}: appending and reading`, () => {
    it('begins empty, at offset 0', async () => {
      const log = await opened();
      expect([log.first, log.next]).toEqual([0, 0]);
      expect(await log.read(0, READ)).toEqual([]);
    });

    it('gives each append the offset of its first record, dense and in order', async () => {
      const log = await opened();
      const offsets = await Promise.all([append(log, 'a'), append(log, 'b', 'c'), append(log, 'd')]);
      expect(offsets).toEqual([0, 1, 3]);
      expect(await textsFrom(log, 0)).toEqual(['a', 'b', 'c', 'd']);
      expect(await textsFrom(log, 2)).toEqual(['c', 'd']);
      expect(log.next).toBe(4);
    });

    it('tells of appends in the order of their offsets, before they resolve', async () => {
      const log = await opened();
      const told: number[] = [];
      const tell = (first: number): string => {
        told.push(first);
        return `at ${first}`;
      };
      const results = await Promise.all([1, 2, 3].map((n) => log.append([bytesOf(`${n}`)], tell)));
      expect(told).toEqual([0, 1, 2]);
      expect(results).toEqual(['at 0', 'at 1', 'at 2']);
    });

    it('makes those that come together durable together', async () => {
      const log = await opened();
      await Promise.all(Array.from({ length: 100 }, (_, n) => append(log, `${n}`)));
      expect(log.counters()).toMatchObject({ appended: 100, groups: 1, pendingBytes: 0 });
    });

    it('keeps records of any size, none included', async () => {
      const log = await opened();
      const texts = ['', 'x', 'y'.repeat(300_000), '', 'z'.repeat(1_500_000), 'end'];
      for (const text of texts) await append(log, text);
      expect(await textsFrom(log, 0)).toEqual(texts);
      expect(await textsFrom(log, 4, 1)).toEqual(texts.slice(4));
    });

    it('gives about as many bytes as were asked for', async () => {
      const log = await opened();
      for (let n = 0; n < 100; n += 1) await append(log, `${n}`.padEnd(100));
      const records = await log.read(0, 2_000);
      expect(records.length).toBeGreaterThan(5);
      expect(records.length).toBeLessThan(25);
    });

    it('refuses more than fits an append, and more than may wait', async () => {
      const log = await opened();
      const large = new Uint8Array(BUS_LIMITS.logAppendBytes - 100);
      await expect(log.append([new Uint8Array(BUS_LIMITS.logAppendBytes)])).rejects.toMatchObject({
        code: 'MAG_RECORD_TOO_LARGE',
      });
      const count = Math.floor(BUS_LIMITS.logPendingBytes / large.length) + 2;
      const outcomes = await Promise.allSettled(Array.from({ length: count }, () => log.append([large])));
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(refused.length).toBeGreaterThan(0);
      for (const outcome of refused) expect(outcome).toMatchObject({ reason: { code: 'MAG_OVERLOADED' } });
      expect(log.next).toBe(count - refused.length);
      expect(log.counters().refused).toBe(refused.length + 1);
    });
  });

  describe(`${subject.name}: time`, () => {
    it('finds the first record of a time', async () => {
      const host = clockedHost();
      const log = await opened(host);
      for (const time of [10, 20, 20, 40]) {
        host.clock = time;
        await append(log, `${time}`);
      }
      expect(await Promise.all([0, 10, 11, 20, 21, 40, 41].map((time) => log.offsetAt(time)))).toEqual([
        0, 0, 1, 1, 3, 3, 4,
      ]);
    });

    it('never lets it go back', async () => {
      const host = clockedHost();
      const log = await opened(host);
      for (const time of [50, 10, 60]) {
        host.clock = time;
        await append(log, `${time}`);
      }
      const records = await log.read(0, READ);
      expect(records.map((record) => record.time)).toEqual([50, 50, 60].slice(0, records.length));
      expect(log.lastTime).toBe(60);
    });
  });

  describe(`${subject.name}: removal`, () => {
    it('removes at most what is older than an offset, and reads on from what is left', async () => {
      const log = await opened();
      for (let n = 0; n < 400; n += 1) await append(log, `${n}`.padEnd(2_000));
      await log.truncateBefore(250);
      expect(log.first).toBeGreaterThan(100);
      expect(log.first).toBeLessThanOrEqual(250);
      expect(log.counters().removed).toBe(log.first);
      expect((await textsFrom(log, 0, 50_000)).map((text) => Number(text))).toEqual(
        Array.from({ length: 400 - log.first }, (_, n) => log.first + n),
      );
    });

    it('goes on with its offsets when nothing is left', async () => {
      const log = await opened();
      await append(log, 'a', 'b');
      await log.truncateBefore(2);
      expect([log.first, log.next]).toEqual([2, 2]);
      expect(await append(log, 'c')).toBe(2);
      expect(await textsFrom(log, 0)).toEqual(['c']);
    });

    it('says what is beyond so many bytes, and beyond an age', async () => {
      const host = clockedHost();
      const log = await opened(host);
      for (let n = 0; n < 400; n += 1) {
        host.clock = 1_000 + n;
        await append(log, `${n}`.padEnd(2_000));
      }
      expect(log.expiry({ bytes: 10_000_000 })).toBe(0);
      const bySize = log.expiry({ bytes: 400_000 });
      expect(bySize).toBeGreaterThan(100);
      expect(bySize).toBeLessThan(400);
      host.clock = 1_300;
      const byAge = log.expiry({ bytes: 10_000_000, ageMs: 100 });
      expect(byAge).toBeGreaterThan(0);
      expect(byAge).toBeLessThanOrEqual(200);
      host.clock = 1_000_000;
      expect(log.expiry({ bytes: 10_000_000, ageMs: 100 })).toBe(400);
    });
  });

  describe(`${subject.name}: the end`, () => {
    /** What is not durable has nothing to show here: no test, rather than one that is skipped. */
    const durably = (name: string, test: () => Promise<void>): void => {
      if (subject.isDurable) it(name, test);
    };
    it('writes what waits when it is closed, and takes nothing after', async () => {
      const log = await opened();
      const waiting = append(log, 'last');
      const closed = log.close();
      await expect(append(log, 'late')).rejects.toMatchObject({ code: 'MAG_LOG_FAILED' });
      expect(await waiting).toBe(0);
      await closed;
    });

    durably('holds all of it when it is opened again', async () => {
      const { open } = subject.place();
      const host = clockedHost();
      for (let round = 0; round < 4; round += 1) {
        host.clock += 100;
        const log = await open(host);
        expect(log.next).toBe(round * 50);
        for (let n = 0; n < 50; n += 10)
          await append(log, ...Array.from({ length: 10 }, (_, at) => `${round * 50 + n + at}`.padEnd(2_000)));
        await log.close();
      }
      const log = await open(host);
      onTestFinished(() => log.close());
      expect((await textsFrom(log, 0)).map(Number)).toEqual(Array.from({ length: 200 }, (_, n) => n));
      expect(await log.offsetAt(host.clock)).toBe(150);
      expect(log.counters().tornBytes).toBe(0);
    });

    durably('goes on with its offsets after all was removed', async () => {
      const { open } = subject.place();
      const host = clockedHost();
      const first = await open(host);
      await append(first, 'a', 'b', 'c');
      await first.truncateBefore(3);
      await first.close();
      const second = await open(host);
      onTestFinished(() => second.close());
      expect([second.first, second.next]).toEqual([3, 3]);
    });

    durably('has one writer', async () => {
      const { open } = subject.place();
      const host = clockedHost();
      const log = await open(host);
      await expect(open(host)).rejects.toMatchObject({ code: 'MAG_LOG_LOCKED' });
      await log.close();
      await (await open(host)).close();
    });
  });
}
