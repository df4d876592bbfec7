import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManagedChildren } from '../../src/actors/storage/managed-children.ts';
import { PgConnection } from '../../src/actors/storage/postgres/connection.ts';
import { PostgresServer } from '../../src/actors/storage/postgres/server.ts';
import { isAlive, processesIn } from '../../src/actors/storage/process-table.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

const OWNER = fileURLToPath(new URL('../support/postgres-owner.ts', import.meta.url));
const host = nodeHost();
let folder: string;
let running: PostgresServer[] = [];
const owners: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mag-server-'));
});
afterEach(async () => {
  for (const owner of owners.splice(0)) if (owner.exitCode === null) owner.kill('SIGKILL');
  for (const server of running) await server.stop();
  running = [];
  await children().reclaim(host, silentLog);
  rmSync(folder, { recursive: true, force: true });
});

const children = () => new ManagedChildren(join(folder, 'run', 'children.json'));
const make = (dataFolder = folder) => {
  const server = new PostgresServer({
    ...{ dataFolder, secretsFolder: join(folder, 'secrets'), children: children(), host, log: silentLog },
  });
  running.push(server);
  return server;
};

/** Starts a process of its own group that owns a server; resolves with a line of its output that fits. */
async function startOwner(line: (text: string) => boolean) {
  const owner = spawn(process.execPath, [OWNER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  owners.push(owner);
  for await (const text of createInterface({ input: owner.stdout! })) if (line(text)) return { owner, text };
  throw new Error('the owner ended');
}
async function ownedServer() {
  const { owner, text } = await startOwner((line) => line.startsWith('{'));
  const { pid, ...address } = JSON.parse(text);
  const connection = await PgConnection.open({ ...address, database: 'postgres' });
  await connection.rows('CREATE TABLE IF NOT EXISTS kept (a int); INSERT INTO kept VALUES (1)');
  return { owner, pid: pid as number, connection };
}
async function restartedRows() {
  const address = await make().start();
  const connection = await PgConnection.open({ ...address, database: 'postgres' });
  const rows = await connection.rows('SELECT a FROM kept');
  await connection.end();
  return rows;
}

describe('a server whose owner was killed with SIGKILL', () => {
  it('is found by its record, stopped, waited for, and its data served again', async () => {
    const { owner, pid } = await ownedServer();
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(isAlive(pid)).toBe(true);
    const survivors = await children().reclaim(host, silentLog);
    expect(survivors).toMatchObject([{ pid, kind: 'postgres' }]);
    expect(isAlive(pid)).toBe(false);
    expect(children().list()).toEqual([]);
    expect(await restartedRows()).toEqual([['1']]);
  });

  it('is found also where the whole group of the owner was killed', async () => {
    const { owner, pid } = await ownedServer();
    process.kill(-owner.pid!, 'SIGKILL');
    await once(owner, 'exit');
    await children().reclaim(host, silentLog);
    expect(isAlive(pid)).toBe(false);
    expect(await restartedRows()).toEqual([['1']]);
  });

  it('is found by its data folder where nobody recorded it', async () => {
    const { owner, pid } = await ownedServer();
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    rmSync(join(folder, 'run', 'children.json'));
    expect(await restartedRows()).toEqual([['1']]);
    expect(isAlive(pid)).toBe(false);
  });

  it('leaves no backend behind that keeps a new server from starting, where the postmaster was killed too', async () => {
    const { owner, pid, connection } = await ownedServer();
    // A backend in a loop without waits does not notice that its postmaster is gone.
    connection.rows(`DO $$ BEGIN LOOP END LOOP; END $$`).catch(() => {});
    const looking = await PgConnection.open(connection.target);
    const busy = `SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid = ${connection.pid}`;
    while ((await looking.rows(busy)).length === 0);
    owner.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await once(owner, 'exit');
    expect(await restartedRows()).toEqual([['1']]);
    connection.destroy();
  });
});

describe('reclaiming', () => {
  it('does not touch a stranger that was given the recorded pid', async () => {
    const stranger = spawn('sleep', ['60']);
    const file = join(folder, 'run', 'children.json');
    mkdirSync(dirname(file));
    const record = {
      pid: stranger.pid,
      startTime: '1',
      kind: 'postgres',
      command: 'sleep',
      port: 1,
      dataDir: null,
    };
    writeFileSync(file, JSON.stringify([record]));
    expect(await children().reclaim(host, silentLog)).toEqual([]);
    expect(isAlive(stranger.pid!)).toBe(true);
    expect(children().list()).toEqual([]);
    stranger.kill('SIGKILL');
  });
});

describe('making the cluster', () => {
  it('is redone where it was killed half way', async () => {
    const { owner } = await startOwner((line) => line === 'starting');
    const control = join(folder, 'postgres', 'data', 'global');
    while (!existsSync(control)) await new Promise((resolve) => setTimeout(resolve, 1));
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(existsSync(join(folder, 'postgres', 'complete'))).toBe(false);
    await children().reclaim(host, silentLog);
    expect(processesIn(join(folder, 'postgres'))).toEqual([]);
    const address = await make().start();
    await (await PgConnection.open({ ...address, database: 'postgres' })).end();
    expect(existsSync(join(folder, 'postgres', 'complete'))).toBe(true);
  });

  it('keeps the superuser’s password readable by its owner alone, and the port across restarts', async () => {
    const first = make();
    const before = await first.start();
    const file = join(folder, 'secrets', 'postgres-superuser');
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(readFileSync(file, 'utf8').trim()).toBe(before.password);
    await first.stop();
    expect(await first.exited).toBe('stopped');
    expect(await make().start()).toEqual(before);
  });

  it('fails with a sentence that says why', async () => {
    await make().start();
    await running[0]?.stop();
    const broken = make();
    rmSync(join(folder, 'postgres', 'data', 'global', 'pg_control'));
    await expect(broken.start()).rejects.toThrow(/PostgreSQL ended with code \d+:.*pg_control/s);
    expect(await broken.exited).toMatch(/pg_control/);
  });
});

describe.runIf(process.getuid?.() === 0)('as root', () => {
  it('runs as another user, in the data folder, which stays closed to everybody else', async () => {
    const server = make();
    await server.start();
    expect(server.detail).toBeNull();
    expect(statSync(`/proc/${server.pid}`).uid).not.toBe(0);
    expect(statSync(folder).mode & 0o777).toBe(0o710);
  });

  it('goes elsewhere and says so where a folder above is closed', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    chmodSync(closed, 0o700);
    const inside = join(closed, 'data');
    mkdirSync(inside);
    const server = make(inside);
    await server.start();
    expect(server.detail).toContain(`cannot enter ${folder}`);
    const [, place] = /lies in (\S+):/.exec(server.detail ?? '') ?? [];
    await server.stop();
    expect(place).toMatch(/^\/var\/lib\/magmobo\//);
    try {
      await make(inside).start();
      const files = statSync(place!);
      expect([files.uid !== 0, files.mode & 0o077]).toEqual([true, 0]);
    } finally {
      for (const each of running) await each.stop();
      rmSync(place!, { recursive: true });
    }
  });
});
