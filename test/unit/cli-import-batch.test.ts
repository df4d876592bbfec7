import { describe, expect, it } from 'vitest';
import { ImportBatch } from '../../src/cli/data/import-batch.ts';

describe('a batch of an import', () => {
  it('is full at its size, and takes a first row whatever it is', () => {
    const batch = new ImportBatch(2, true);
    expect(batch.isFullFor({ id: 1 })).toBe(false);
    batch.put({ id: 1 });
    expect(batch.isFullFor({ id: 2 })).toBe(false);
    batch.put({ id: 2 });
    expect(batch.isFullFor({ id: 3 })).toBe(true);
    expect(batch.columns()).toBeNull();
  });

  it('tells of the columns where its rows differ, each quoted', () => {
    const batch = new ImportBatch(9, true);
    batch.put({ id: 1 });
    batch.put({ 'a "b\\': 1 });
    expect(decodeURIComponent(batch.columns() ?? '')).toBe('"id","a \\"b\\\\"');
  });

  it('takes rows of one shape alone where they may not be told of', () => {
    const batch = new ImportBatch(9, false);
    batch.put({ id: 1, a: 1 });
    expect(batch.isFullFor({ a: 2, id: 2 })).toBe(false);
    expect(batch.isFullFor({ id: 2 })).toBe(true);
    expect(batch.isFullFor({ id: 2, b: 1 })).toBe(true);
  });

  it('is full before its columns are more than a URL has room for', () => {
    const batch = new ImportBatch(1_000, true);
    let rows = 0;
    for (; rows < 1_000; rows += 1) {
      const row = { [`${'column'.repeat(10)}${rows}`]: 1 };
      if (batch.isFullFor(row)) break;
      batch.put(row);
    }
    expect(rows).toBeGreaterThan(50);
    expect(batch.columns()?.length).toBeLessThan(8_100);
  });
});
