import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { verifyTrail } from '../../src/actors/audit/audit-files.ts';
import { type ChainHead, GENESIS, openEntry, sealEntry } from '../../src/actors/audit/entry.ts';

const folder = mkdtempSync(join(tmpdir(), 'mag-audit-'));
const file = join(folder, 'audit-202611.jsonl');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const AT = '2026-11-23T00:00:00.000Z';
const text = fc.string({ unit: 'binary', maxLength: 12 });
const events = fc.record({
  actor: text,
  action: fc.constantFrom('project.create', 'actor.crash'),
  target: text,
  reason: fc.option(text),
  outcome: text,
});

/** A trail as the log writes it. */
function trailOf(
  drawn: readonly (typeof events extends fc.Arbitrary<infer Event> ? Event : never)[],
): string {
  let head: ChainHead = GENESIS;
  let trail = '';
  for (const event of drawn) {
    const sealed = sealEntry(event, AT, head);
    head = sealed.head;
    trail += `${sealed.line}\n`;
  }
  return trail;
}

const verify = async (bytes: string | Uint8Array) => {
  writeFileSync(file, bytes);
  return verifyTrail(folder);
};

describe('any audit trail', () => {
  it('is verified as it was written, whatever its texts hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(events, { maxLength: 8 }), async (drawn) => {
        expect(await verify(trailOf(drawn))).toEqual({ ok: true, entries: drawn.length, problem: null });
      }),
    );
  });

  it('shows a change of any single byte but the last newline', async () => {
    const drawnTrail = fc.array(events, { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(drawnTrail, fc.nat(), fc.integer({ min: 1, max: 255 }), async (drawn, place, flip) => {
        const bytes = Buffer.from(trailOf(drawn));
        const at = place % (bytes.length - 1);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        expect((await verify(bytes)).ok).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('shows any entry but the last that was taken out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(events, { minLength: 2, maxLength: 8 }), fc.nat(), async (drawn, pick) => {
        const lines = trailOf(drawn).split('\n');
        lines.splice(pick % (drawn.length - 1), 1);
        expect((await verify(lines.join('\n'))).ok).toBe(false);
      }),
    );
  });
});

describe('an entry', () => {
  it('is read back as it was written, but for what is redacted', () => {
    fc.assert(
      fc.property(events, (event) => {
        const { line, head } = sealEntry(event, AT, GENESIS);
        // A lone surrogate has no UTF-8 form; JSON keeps it as an escape.
        expect(openEntry(line)).toMatchObject({ ...event, seq: 1, at: AT, hash: head.hash });
      }),
    );
  });
});
