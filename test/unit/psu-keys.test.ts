import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openAdminKey } from '../../src/actors/psu/admin-key.ts';
import { createConsoleSessions } from '../../src/actors/psu/console-session.ts';
import { loadMasterKey } from '../../src/actors/psu/master-key.ts';
import { digestKeys, keyDigest, projectKeys } from '../../src/actors/psu/project-keys.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { recordingLog } from '../support/recording-log.ts';
import { testFolder } from '../support/temporary-folder.ts';

const host = nodeHost();
const masterKey = Buffer.alloc(32, 7);

/** The real host with a clock that the test moves. */
function movableClock(): { readonly host: Host; advance(ms: number): void } {
  let ahead = 0;
  return {
    host: { ...host, now: () => host.now() + ahead, wallTime: () => host.wallTime() + ahead },
    advance: (ms) => {
      ahead += ms;
    },
  };
}

describe('the master key', () => {
  it('is made once, private to its owner, and the same from then on', () => {
    const folder = testFolder();
    const made = loadMasterKey(folder, host, silentLog);
    expect(made).toHaveLength(32);
    expect(loadMasterKey(folder, host, silentLog)).toEqual(made);
    expect(statSync(join(folder, 'master.key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['master.key']);
  });

  it('that others can read is closed to them, with a warning', () => {
    const folder = testFolder();
    loadMasterKey(folder, host, silentLog);
    chmodSync(join(folder, 'master.key'), 0o644);
    const { log, lines } = recordingLog();
    loadMasterKey(folder, host, log);
    expect(statSync(join(folder, 'master.key')).mode & 0o777).toBe(0o600);
    expect(lines).toEqual([expect.objectContaining({ level: 'warn' })]);
  });

  it.each(['', 'short', `${'A'.repeat(42)}!`])('that holds %j is refused, never replaced', (text) => {
    const folder = testFolder();
    writeFileSync(join(folder, 'master.key'), text, { mode: 0o600 });
    expect(() => loadMasterKey(folder, host, silentLog)).toThrow(/cannot be used: it does not hold 32 bytes/);
    expect(readFileSync(join(folder, 'master.key'), 'utf8')).toBe(text);
  });

  it('is made where a kill left an unfinished one', () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'master.key.123.part'), 'half');
    loadMasterKey(folder, host, silentLog);
    expect(readdirSync(folder)).toEqual(['master.key']);
  });
});

describe('project keys', () => {
  it('are the same for the same project and version, and differ in everything else', () => {
    const keys = projectKeys(masterKey, 'abc', 1);
    expect(projectKeys(masterKey, 'abc', 1)).toEqual(keys);
    expect(keys.anon).toMatch(/^mag_anon_[A-Za-z0-9_-]{43}$/);
    expect(keys.service).toMatch(/^mag_service_[A-Za-z0-9_-]{43}$/);
    const others = [
      projectKeys(masterKey, 'abd', 1),
      projectKeys(masterKey, 'abc', 2),
      projectKeys(Buffer.alloc(32, 8), 'abc', 1),
    ];
    const secrets = [keys, ...others].flatMap(({ anon, service }) => [anon.slice(9), service.slice(12)]);
    expect(new Set(secrets).size).toBe(8);
  });

  it('have digests that a presented key is compared with', () => {
    const keys = projectKeys(masterKey, 'abc', 1);
    expect(digestKeys(keys)).toEqual({ anon: keyDigest(keys.anon), service: keyDigest(keys.service) });
    expect(keyDigest('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

describe('the admin key', () => {
  const open = (secretsFolder: string, override: string | null = null) =>
    openAdminKey({ secretsFolder, override, host, log: silentLog });

  it('is generated and shown on the first boot only, and only its hash is stored', () => {
    const folder = testFolder();
    const first = open(folder);
    expect(first.generated).toMatch(/^mag_admin_[A-Za-z0-9_-]{43}$/);
    const key = first.generated ?? '';
    expect(first.verify(key)).toBe(true);
    expect(readFileSync(join(folder, 'admin.hash'), 'utf8')).not.toContain(key.slice(10));
    const second = open(folder);
    expect(second.generated).toBeNull();
    expect(second.verify(`${key}x`)).toBe(false);
    expect(second.verify(key)).toBe(true);
    expect(second.fingerprint).toBe(first.fingerprint);
  });

  it('of the configuration is used instead, and nothing is stored', () => {
    const folder = testFolder();
    const admin = open(folder, 'my own key');
    expect(admin.generated).toBeNull();
    expect(admin.verify('my own key')).toBe(true);
    expect(admin.verify('my own kez')).toBe(false);
    expect(admin.verify('')).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
    expect(open(folder).generated).not.toBeNull();
  });

  it('is known at once also amid a flood of guesses', () => {
    const folder = testFolder();
    const key = open(folder).generated ?? '';
    const admin = open(folder);
    const guesses = Array.from({ length: 1_000 }, (_, index) => admin.verify(`guess ${index}`));
    expect(guesses).not.toContain(true);
    expect(admin.verify('x'.repeat(1_000_000))).toBe(false);
    expect(admin.verify(key)).toBe(true);
  });

  it('whose file is damaged is refused, with what to do', () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'admin.hash'), 'scrypt.??', { mode: 0o600 });
    const hint = 'Delete the file to have a new admin key generated at the next start.';
    expect(() => open(folder)).toThrow(expect.objectContaining({ code: 'MAG_SECRET_UNUSABLE', hint }));
  });
});

describe('console sessions', () => {
  it('tell of refused logins one by one, and of many as a number', () => {
    const clock = movableClock();
    const sessions = createConsoleSessions(masterKey, 'print', clock.host);
    const told = Array.from({ length: LIMITS.refusedSessions + 5 }, () => sessions.refused());
    expect(told.slice(0, LIMITS.refusedSessions)).toEqual(Array(LIMITS.refusedSessions).fill(1));
    expect(told.slice(LIMITS.refusedSessions)).toEqual(Array(5).fill(null));
    clock.advance(LIMITS.refusedSessionsMs);
    expect(sessions.refused()).toBe(6);
  });

  it('open with a ticket once, within its time', () => {
    const clock = movableClock();
    const sessions = createConsoleSessions(masterKey, 'print', clock.host);
    const [used, late] = [sessions.issueTicket(), sessions.issueTicket()];
    expect(sessions.redeemTicket(used)).toBe(true);
    expect(sessions.redeemTicket(used)).toBe(false);
    expect(sessions.redeemTicket('mag_ticket_guess')).toBe(false);
    clock.advance(LIMITS.loginTicketMs);
    expect(sessions.redeemTicket(late)).toBe(false);
  });

  it('hold no more tickets than the bound: the oldest gives way', () => {
    const sessions = createConsoleSessions(masterKey, 'print', host);
    const tickets = Array.from({ length: LIMITS.loginTickets + 1 }, () => sessions.issueTicket());
    expect(tickets.map((ticket) => sessions.redeemTicket(ticket))).toEqual([
      false,
      ...Array.from({ length: LIMITS.loginTickets }, () => true),
    ]);
  });

  it('have tokens that survive a restart, end in time, and cannot be altered', () => {
    const clock = movableClock();
    const sessions = createConsoleSessions(masterKey, 'print', clock.host);
    const { token, expiresInSeconds } = sessions.issueToken();
    expect(expiresInSeconds).toBe(12 * 3600);
    expect(createConsoleSessions(masterKey, 'print', clock.host).verifyToken(token)).toBe(true);
    const later = token.replace(
      /mag_session_(\w+)/,
      (_, end) => `mag_session_${(Number.parseInt(end, 36) + 1).toString(36)}`,
    );
    for (const forged of [later, token.slice(0, -2), `${token}A`, 'mag_session_', '']) {
      expect(sessions.verifyToken(forged)).toBe(false);
    }
    clock.advance(LIMITS.consoleSessionMs);
    expect(sessions.verifyToken(token)).toBe(false);
  });

  it('end when they are signed out, each on its own', () => {
    const sessions = createConsoleSessions(masterKey, 'print', movableClock().host);
    const [mine, other] = [sessions.issueToken().token, sessions.issueToken().token];
    sessions.closeToken(mine);
    sessions.closeToken('mag_session_guess');
    expect([sessions.verifyToken(mine), sessions.verifyToken(other)]).toEqual([false, true]);
  });

  it('end when the admin key changes', () => {
    const { token } = createConsoleSessions(masterKey, 'print', host).issueToken();
    expect(createConsoleSessions(masterKey, 'another', host).verifyToken(token)).toBe(false);
  });
});
