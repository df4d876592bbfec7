import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AuditEvent } from '../../src/actors/audit/entry.ts';
import { adminHandlers } from '../../src/actors/catalogue/admin-handlers.ts';
import { openAdminKey } from '../../src/actors/psu/admin-key.ts';
import { createConsoleSessions } from '../../src/actors/psu/console-session.ts';
import { digestKeys } from '../../src/actors/psu/project-keys.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { testCatalogue } from '../support/catalogue.ts';
import { testFolder } from '../support/temporary-folder.ts';

async function setUp() {
  const folder = testFolder();
  const { catalogue } = testCatalogue(folder);
  onTestFinished(() => catalogue.close());
  const host = nodeHost();
  const adminKey = openAdminKey({
    secretsFolder: join(folder),
    override: 'the key',
    host,
    log: silentLog,
  });
  const sessions = createConsoleSessions(Buffer.alloc(32), adminKey.fingerprint, host);
  const events: AuditEvent[] = [];
  const audit = { append: async (event: AuditEvent) => void events.push(event) };
  return { handlers: adminHandlers({ catalogue, adminKey, sessions, audit }), sessions, events };
}

describe('admin requests', () => {
  it('are verified by the admin key or by a session token', async () => {
    const { handlers } = await setUp();
    const { token } = await handlers.SESSION_OPEN({ key: 'the key' });
    const verify = (credential: string): Promise<boolean> => handlers.ADMIN_VERIFY({ credential });
    expect(await Promise.all(['the key', token, 'another', ''].map(verify))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    await handlers.SESSION_CLOSE({ token });
    expect(await verify(token)).toBe(false);
  });

  it('open a session by a ticket once, and audit who was let in and who was not', async () => {
    const { handlers, sessions, events } = await setUp();
    const ticket = sessions.issueTicket();
    expect((await handlers.SESSION_OPEN({ ticket })).expiresInSeconds).toBe(43_200);
    await expect(handlers.SESSION_OPEN({ ticket })).rejects.toMatchObject({ code: 'MAG_ADMIN_KEY_INVALID' });
    await expect(handlers.SESSION_OPEN({ key: 'wrong' })).rejects.toMatchObject({
      code: 'MAG_ADMIN_KEY_INVALID',
    });
    expect(events.map(({ action, reason, outcome }) => [action, reason, outcome])).toEqual([
      ['session.open', 'login ticket', 'ok'],
      ['session.open', 'login ticket', 'refused'],
      ['session.open', 'admin key', 'refused'],
    ]);
    expect(JSON.stringify(events)).not.toContain('wrong');
  });

  it('take a project through its whole life', async () => {
    const { handlers } = await setUp();
    const made = await handlers.PROJECT_CREATE({ name: 'shop', engine: 'sqlite', actor: 'admin' });
    const { ref } = made;
    expect(await handlers.PROJECT_LIST({})).toMatchObject([{ ref }]);
    expect((await handlers.PROJECT_KEYS({ ref, actor: 'admin' })).keys).toEqual(made.keys);
    const before = await handlers.PROJECT_RESOLVE({ ref });
    const rotated = await handlers.PROJECT_ROTATE({ ref, actor: 'admin' });
    expect(rotated.keys).not.toEqual(made.keys);
    expect((await handlers.PROJECT_KEYS({ ref, actor: 'admin' })).keys).toEqual(rotated.keys);
    const after = await handlers.PROJECT_RESOLVE({ ref });
    expect(after?.keyDigests).toEqual(digestKeys({ anon: '', service: '', ...rotated.keys }));
    expect(before?.keyDigests).toEqual(digestKeys({ anon: '', service: '', ...made.keys }));
    const grants = [{ role: 'anon', table: '*', actions: ['select'] }] as const;
    await handlers.PROJECT_SETTINGS({ ref, settings: { grants }, actor: 'admin' });
    expect((await handlers.PROJECT_GET({ ref })).settings).toEqual({ grants });
    expect((await handlers.PROJECT_RESOLVE({ ref }))?.settings).toEqual({ grants });
    expect(await handlers.PROJECT_DELETE({ ref, actor: 'admin' })).toBeNull();
    await expect(handlers.PROJECT_GET({ ref })).rejects.toMatchObject({ code: 'MAG_PROJECT_NOT_FOUND' });
    expect(await handlers.ENGINES({})).toHaveLength(5);
  });
});
