import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AuditLog, openAuditLog } from '../../src/actors/audit/audit-log.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { recordingLog } from '../support/recording-log.ts';
import { testFolder } from '../support/temporary-folder.ts';

const event = (target: string, reason: string | null = null) => ({
  actor: 'admin',
  action: 'project.create',
  target,
  reason,
  outcome: 'ok',
});

const november: Host = { ...nodeHost(), wallTime: () => Date.UTC(2026, 10, 23) };
const december: Host = { ...november, wallTime: () => Date.UTC(2026, 11, 1) };
const FILE = 'audit-202611.jsonl';

const open = (folder: string, host = november): Promise<AuditLog> => openAuditLog(folder, host, silentLog);

/** A closed trail of `count` entries, and the path of its file. */
async function trail(folder: string, count: number): Promise<string> {
  const audit = await open(folder);
  for (let index = 0; index < count; index += 1) await audit.append(event(`p${index}`));
  await audit.close();
  return join(folder, FILE);
}

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"seq"') && line.endsWith('}'))
    .map((line) => JSON.parse(line));

describe('the audit trail', () => {
  it('holds an entry on the disk when its append resolves, sealed over the one before', async () => {
    const folder = testFolder();
    const audit = await open(folder);
    await audit.append(event('one', 'why'));
    await audit.append(event('two'));
    const [first, second] = linesOf(join(folder, FILE));
    expect(first).toMatchObject({ seq: 1, at: '2026-11-23T00:00:00.000Z', actor: 'admin', reason: 'why' });
    expect(first).toMatchObject({ target: 'one', outcome: 'ok', prev: '0'.repeat(64) });
    expect(second).toMatchObject({ seq: 2, prev: first?.hash });
    expect(await audit.verify()).toEqual({ ok: true, entries: 2, problem: null });
    await audit.close();
  });

  it('keeps the order of appends made at once, in groups', async () => {
    const folder = testFolder();
    const audit = await open(folder);
    await Promise.all(Array.from({ length: 200 }, (_, index) => audit.append(event(`p${index}`))));
    expect(linesOf(join(folder, FILE)).map((line) => line.target)).toEqual(
      Array.from({ length: 200 }, (_, index) => `p${index}`),
    );
    expect(audit.counters()).toEqual({ written: 200, refused: 0, waiting: 0 });
    await audit.close();
  });

  it('goes on where it stopped, over restarts and months', async () => {
    const folder = testFolder();
    await trail(folder, 3);
    const next = await open(folder, december);
    await next.append(event('december'));
    await next.close();
    const last = await open(folder, december);
    await last.append(event('again'));
    expect(readdirSync(folder).sort()).toEqual([FILE, 'audit-202612.jsonl']);
    expect(linesOf(join(folder, 'audit-202612.jsonl')).map((line) => line.seq)).toEqual([4, 5]);
    expect(await last.verify()).toEqual({ ok: true, entries: 5, problem: null });
    await last.close();
  });

  it('refuses more than its queue holds, and says so', async () => {
    const audit = await open(testFolder());
    const appends = Array.from({ length: LIMITS.auditQueue + 50 }, (_, index) =>
      audit.append(event(`p${index}`)),
    );
    const outcomes = await Promise.allSettled(appends);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ reason: { code: 'MAG_OVERLOADED' } });
    const { written } = audit.counters();
    expect(written + refused.length).toBe(appends.length);
    expect(await audit.verify()).toMatchObject({ ok: true, entries: written });
    await audit.close();
  });

  it('writes what waits before it closes, and refuses what comes after', async () => {
    const folder = testFolder();
    const audit = await open(folder);
    const appended = audit.append(event('last'));
    await audit.close();
    await appended;
    await expect(audit.append(event('late'))).rejects.toMatchObject({ code: 'MAG_OVERLOADED' });
    expect(linesOf(join(folder, FILE))).toHaveLength(1);
  });

  it('holds no keys and no passwords, and no more text than the bound', async () => {
    const folder = testFolder();
    const audit = await open(folder);
    const secrets = 'mag_service_abcdefghij mag_admin_0123456789 postgres://user:hunter2@host/db';
    await audit.append({ ...event(secrets, secrets), outcome: secrets });
    await audit.append(event('long', 'x'.repeat(100_000)));
    const text = readFileSync(join(folder, FILE), 'utf8');
    expect(text).not.toMatch(/abcdefghij|0123456789 |hunter2/);
    expect(text.length).toBeLessThan(LIMITS.errorTextBytes * 2);
    await audit.close();
  });

  it('verifies a reason that holds every kind of line separator', async () => {
    const audit = await open(testFolder());
    await audit.append(event('odd', 'a\nb\rc\u2028d\u2029e\u0085f\ud800'));
    expect(await audit.verify()).toEqual({ ok: true, entries: 1, problem: null });
    await audit.close();
  });
});

describe('an audit trail that was changed', () => {
  const tampering: readonly [string, (text: string) => string][] = [
    ['an entry altered', (text) => text.replace('"target":"p1"', '"target":"p9"')],
    ['an entry removed', (text) => text.split('\n').toSpliced(1, 1).join('\n')],
    [
      'two entries swapped',
      (text) =>
        text
          .split('\n')
          .toSpliced(1, 2, ...text.split('\n').slice(1, 3).reverse())
          .join('\n'),
    ],
    [
      'an entry repeated',
      (text) =>
        text
          .split('\n')
          .toSpliced(1, 0, text.split('\n')[0] ?? '')
          .join('\n'),
    ],
    ['the first entry removed', (text) => text.slice(text.indexOf('\n') + 1)],
    ['a line of its own added', (text) => text.replace('\n', '\nnothing\n')],
  ];

  it.each(tampering)('shows: %s', async (_, change) => {
    const folder = testFolder();
    const path = await trail(folder, 5);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    const { log, lines } = recordingLog();
    const audit = await openAuditLog(folder, november, log);
    expect(await audit.verify()).toMatchObject({ ok: false, problem: expect.stringContaining(FILE) });
    expect(lines).toEqual([expect.objectContaining({ level: 'error' })]);
    expect(linesOf(path).at(-1)).toMatchObject({ action: 'audit.damaged' });
    await audit.append(event('goes on'));
    await audit.close();
  });
});

describe('an audit trail whose last write a crash cut short', () => {
  it.each([1, 10, 100])(
    'is marked and goes on unbroken, %i bytes of the last line missing',
    async (missing) => {
      const folder = testFolder();
      const path = await trail(folder, 3);
      truncateSync(path, readFileSync(path).length - 1 - missing);
      const audit = await open(folder);
      await audit.append(event('after'));
      expect(await audit.verify()).toEqual({ ok: true, entries: 4, problem: null });
      expect(linesOf(path).map((line) => line.action)).toEqual([
        'project.create',
        'project.create',
        'audit.repaired',
        'project.create',
      ]);
      await audit.close();
    },
  );

  it('keeps an entry that lacks only its newline', async () => {
    const folder = testFolder();
    const path = await trail(folder, 3);
    truncateSync(path, readFileSync(path).length - 1);
    const audit = await open(folder);
    await audit.append(event('after'));
    expect(await audit.verify()).toEqual({ ok: true, entries: 4, problem: null });
    await audit.close();
  });

  it('is marked also where the torn line is all that the newest file holds', async () => {
    const folder = testFolder();
    await trail(folder, 3);
    appendFileSync(join(folder, 'audit-202612.jsonl'), '{"seq":4,"at"');
    const audit = await open(folder, december);
    await audit.append(event('after'));
    expect(await audit.verify()).toEqual({ ok: true, entries: 5, problem: null });
    await audit.close();
  });
});
