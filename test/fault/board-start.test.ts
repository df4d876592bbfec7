import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually, launch, startTestBoard, temporaryFolder } from '../support/board.ts';

const folders: string[] = [];
const folder = (): string => {
  const made = temporaryFolder();
  folders.push(made);
  return made;
};

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** Starts a board that is expected to refuse, and gives its exit code and what it said. */
async function refused(
  path: string,
  options: Parameters<typeof launch>[1],
): Promise<{ code: number | null; output: string }> {
  const { exited, output } = launch(path, options);
  const exit = await exited;
  return { code: exit.code, output: output() };
}

const listening = (port: number): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
  });

describe('a board that cannot start says why, and with which exit code', () => {
  it('2: an unknown setting in the file, with the nearest known one', async () => {
    const path = folder();
    const config = join(path, 'my.config.json');
    writeFileSync(config, JSON.stringify({ prot: 4600 }));
    const { code, output } = await refused(path, { env: { MAG_CONFIG: config } });
    expect(code).toBe(2);
    expect(output).toContain('prot');
    expect(output).toMatch(/did you mean.*port/i);
  });

  it('2: an unknown MAG_ variable, an unknown flag and a value out of range', async () => {
    const unknown = await refused(folder(), { env: { MAG_PROT: '1' } });
    expect(unknown.code).toBe(2);
    expect(unknown.output).toContain('MAG_PORT');
    const flag = await refused(folder(), { args: ['--prot', '1'] });
    expect(flag.code).toBe(2);
    const range = await refused(folder(), { env: { MAG_PORT: '70000' } });
    expect(range.code).toBe(2);
    expect(range.output).toContain('MAG_PORT');
  });

  it('3: the port is in use', async () => {
    const server = await listening(0);
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, output } = await refused(folder(), { env: { MAG_PORT: String(port) } });
    server.close();
    expect(code).toBe(3);
    expect(output).toContain(`${port}`);
    expect(output).toContain('MAG_PORT');
  });

  it('4: the data folder is held by a living board, and only then', async () => {
    const board = await startTestBoard({ folder: folder() });
    const second = await refused(board.folder, {});
    expect(second.code).toBe(4);
    expect(second.output).toContain(String(board.pid));
    board.kill('SIGKILL');
    await board.exited;
    const third = await startTestBoard({ folder: board.folder });
    expect((await third.stop()).code).toBe(0);
  });

  it('3: the data folder is a file, or read-only', async () => {
    const path = folder();
    const file = join(path, 'file');
    writeFileSync(file, '');
    expect((await refused(file, {})).code).toBe(3);
    if (process.getuid?.() === 0) {
      // Root writes through permission bits: a read-only mount is what it meets.
      const mount = join(path, 'ro');
      mkdirSync(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', mount]);
      const { code, output } = await refused(mount, {});
      execFileSync('umount', [mount]);
      expect(code).toBe(3);
      expect(output).toContain(mount);
    } else {
      const closed = join(path, 'closed');
      mkdirSync(closed);
      chmodSync(closed, 0o500);
      expect((await refused(closed, {})).code).toBe(3);
    }
  });
});

describe('a started board', () => {
  it('writes run/board.json, keeps stdout to JSON lines, and drains with exit 0', async () => {
    const board = await startTestBoard({ folder: folder() });
    const file = join(board.folder, 'run/board.json');
    const written = JSON.parse(readFileSync(file, 'utf8'));
    expect(written).toMatchObject({ url: board.url, host: '127.0.0.1', pid: board.pid });
    expect(Number(new URL(board.url).port)).toBe(written.port);
    board.kill('SIGTERM');
    board.kill('SIGTERM');
    expect((await board.exited).code).toBe(0);
    expect(existsSync(file)).toBe(false);
  });

  it('prints its banner with keys, and the generated admin key only once', async () => {
    const path = folder();
    const first = await startTestBoard({ folder: path, env: { MAG_ADMIN_KEY: '' } });
    // The banner may come after run/board.json, by which the board is known to be up.
    const key = await eventually(
      async () => /mag_admin_[A-Za-z0-9_-]+/.exec(first.output())?.[0],
      'the admin key',
    );
    await eventually(async () => first.output().includes('Ctrl-C'), 'the rest of the banner');
    expect(first.output()).toMatch(/mag_anon_[A-Za-z0-9_-]+/);
    expect(first.output()).toContain(`${first.url}/p/`);
    const reply = await fetch(`${first.url}/admin/v1/projects`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(reply.status).toBe(200);
    expect(((await reply.json()) as { name: string }[]).map((project) => project.name)).toContain('demo');
    await first.stop({ keep: true });
    const second = await startTestBoard({ folder: path, env: { MAG_ADMIN_KEY: '' } });
    await eventually(async () => second.output().includes('Ctrl-C'), 'the banner');
    expect(second.output()).not.toMatch(/mag_admin_/);
    const again = await fetch(`${second.url}/admin/v1/projects`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(again.status).toBe(200);
    await second.stop({ keep: true });
  });

  it('answers a write on a full disk with a typed error, and goes on serving reads', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('a small file system of its own needs root');
    const path = folder();
    const mount = join(path, 'small');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', mount]);
    try {
      const board = await startTestBoard({ folder: mount });
      const project = await board.createProject('full');
      await board.sql(project, 'create table blobs (id integer primary key, body text)');
      writeFileSync(join(mount, 'ballast'), Buffer.alloc(200 * 1024 * 1024), { flag: 'w' });
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      const holder = JSON.parse(readFileSync(join(mount, 'run/board.json'), 'utf8')) as {
        url: string;
        pid: number;
      };
      const projects = await fetch(`${holder.url}/livez`);
      expect(projects.status).toBe(200);
      const ready = await fetch(`${holder.url}/readyz`);
      expect([200, 503]).toContain(ready.status);
      await fullDiskWrites(holder.url, mount);
      process.kill(holder.pid, 'SIGTERM');
    } finally {
      for (let tries = 0; tries < 100; tries += 1) {
        try {
          execFileSync('umount', [mount], { stdio: 'ignore' });
          break;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    }
  });
});

async function fullDiskWrites(url: string, mount: string): Promise<void> {
  const headers = { authorization: 'Bearer test-admin-key-0123456789-abcdefghij' };
  const list = (await (await fetch(`${url}/admin/v1/projects`, { headers })).json()) as {
    ref: string;
    name: string;
  }[];
  const ref = list.find((project) => project.name === 'full')?.ref ?? '';
  const { keys } = (await (await fetch(`${url}/admin/v1/projects/${ref}/keys`, { headers })).json()) as {
    keys: { service: string };
  };
  const rest = `${url}/p/${ref}/rest/v1/blobs`;
  const apikey = { apikey: keys.service, 'content-type': 'application/json' };
  let failed: { status: number; code: string } | undefined;
  for (let tries = 0; tries < 40 && failed === undefined; tries += 1) {
    const reply = await fetch(rest, {
      method: 'POST',
      headers: apikey,
      body: JSON.stringify({ body: 'x'.repeat(1_000_000) }),
    });
    if (!reply.ok) failed = { status: reply.status, code: ((await reply.json()) as { code: string }).code };
    else await reply.text();
  }
  expect(failed).toEqual({ status: 503, code: '53100' });
  expect((await fetch(`${rest}?limit=1`, { headers: apikey })).status).toBe(200);
  rmSync(join(mount, 'ballast'));
  const healed = await fetch(rest, { method: 'POST', headers: apikey, body: '{"body":"fits again"}' });
  expect(healed.status).toBe(201);
}
