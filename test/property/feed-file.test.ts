import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Appender } from '../../src/actors/feed/postgres/appender.ts';
import type { SourceEvent } from '../../src/actors/feed/postgres/decoder.ts';
import { FeedFile, type NewChange } from '../../src/actors/feed/postgres/feed-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'feed-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const columns = [{ name: 'n', type: 'int4' }];
const change = (n: number): NewChange => ({
  type: 'INSERT',
  schema: 'public',
  table: 't',
  commitTimestamp: '2026-11-23T08:00:00.000000Z',
  columns,
  record: { n },
  old: null,
});

/** What a slot holds: transactions of so many changes, one after another in the log. */
const transactions = fc.array(fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constant(1_500)), {
  minLength: 1,
  maxLength: 12,
});

/** A run of the follower: how many events reach it before what happens to it. */
const incident = fc.record({
  events: fc.integer({ min: 0, max: 2_500 }),
  ends: fc.constantFrom('broken stream', 'killed process', 'clean close'),
  flushEvery: fc.integer({ min: 1, max: 40 }),
});

interface Sent {
  readonly event: SourceEvent;
  readonly start: bigint;
}

function eventsOf(sizes: readonly number[]): Sent[] {
  let next = 0;
  return sizes.flatMap((size, place) => {
    const start = BigInt(place + 1) * 100n;
    const rows = Array.from({ length: size }, () => {
      next += 1;
      return { event: { kind: 'change' as const, change: change(next), size: 20 }, start };
    });
    return [
      { event: { kind: 'begin' as const, commitLsn: start }, start },
      ...rows,
      { event: { kind: 'commit' as const, endLsn: start + 50n }, start },
    ];
  });
}

describe('the log of a slot', () => {
  it('holds every transaction once and whole, in order, however often stream and process end', () => {
    let run = 0;
    fc.assert(
      fc.property(transactions, fc.array(incident, { maxLength: 5 }), (sizes, incidents) => {
        run += 1;
        const path = join(folder, `${run}.sqlite`);
        const all = eventsOf(sizes);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        // What the server was told it may forget; it sends again from there.
        let confirmed = 0n;
        let file = new FeedFile(path, () => 'epoch');
        let appender = new Appender(file);
        const runs = [...incidents, { events: all.length, ends: 'clean close', flushEvery: 7 }];
        for (const { events, ends, flushEvery } of runs) {
          const sent = all.filter(({ start }) => start >= confirmed).slice(0, events);
          sent.forEach(({ event }, place) => {
            appender.add(event);
            if (place % flushEvery === 0) appender.flush();
          });
          if (ends === 'killed process') {
            file.rollback();
          } else {
            appender.reset();
            file.makeDurable();
            confirmed = file.durableLsn;
          }
          if (ends === 'broken stream') continue;
          file.close();
          file = new FeedFile(path, () => 'never');
          appender = new Appender(file);
        }
        expect(file.epoch).toBe('epoch');
        const held: unknown[] = [];
        while (held.length < total) {
          const batch = file.read(held.length, 256);
          expect(batch.length).toBeGreaterThan(0);
          expect(batch[0]?.offset).toBe(held.length + 1);
          held.push(...batch.map(({ record }) => record?.['n']));
        }
        expect(held).toEqual(Array.from({ length: total }, (_, place) => place + 1));
        expect(file.head).toBe(total);
        file.close();
        rmSync(path);
      }),
      { numRuns: 25 },
    );
  });

  it('reads the same from its tail in memory as from its file', () => {
    const path = join(folder, 'tail.sqlite');
    const file = new FeedFile(path, () => 'e');
    for (let n = 1; n <= 3_000; n += 1) file.append(change(n));
    file.commit(1n);
    const again = new FeedFile(path, () => 'f');
    for (const after of [0, 900, 951, 952, 953, 1_500, 1_975, 1_976, 1_977, 2_999, 3_000]) {
      expect(file.read(after, 50)).toEqual(again.read(after, 50));
    }
    while (file.trim(1_000)) {
      // Step by step.
    }
    expect(file.floor).toBe(3_000 - 1_000 - (2_000 % 512));
    file.close();
    again.close();
  });
});
