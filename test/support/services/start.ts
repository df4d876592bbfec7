import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { answers, findBinary, openToAll, type ServiceDefinition, type StartPlan } from './catalog.ts';

/** What the tests are told about a service. Provided to them by vitest's global set-up; cloneable. */
export type FoundService =
  | { readonly available: true; readonly url: string; readonly how: string }
  | { readonly available: false; readonly why: string };

export interface RunningService {
  readonly found: FoundService;
  stop(): Promise<void>;
}

const nothingToStop = async (): Promise<void> => {};

/** In turn: the environment, the default local port, a binary started on a free port in a temporary folder. */
export async function provideService(definition: ServiceDefinition): Promise<RunningService> {
  const named = process.env[definition.env];
  if (named !== undefined && named !== '') {
    return { found: { available: true, url: named, how: `from ${definition.env}` }, stop: nothingToStop };
  }
  if (definition.local !== null && (await isUsable(definition.local))) {
    return {
      found: { available: true, url: definition.local.url, how: `answers on port ${definition.local.port}` },
      stop: nothingToStop,
    };
  }
  const binary = findBinary(definition.binaries);
  if (binary === null) {
    const why = `no ${definition.binaries.at(-1)} on PATH or in /usr/sbin, and ${definition.env} is not set`;
    return { found: { available: false, why }, stop: nothingToStop };
  }
  if (definition.start === null)
    return { found: { available: true, url: binary, how: binary }, stop: nothingToStop };
  return startBinary(definition, binary);
}

const isUsable = async ({ port, url, admits }: NonNullable<ServiceDefinition['local']>): Promise<boolean> =>
  (await answers(port)) && (admits === undefined || (await admits(url)));

async function startBinary(definition: ServiceDefinition, binary: string): Promise<RunningService> {
  const folder = mkdtempSync(join(tmpdir(), `mag-${definition.name}-`));
  openToAll(folder);
  const port = await freePort();
  const plan = definition.start?.(binary, folder, port);
  if (plan === undefined) throw new Error(`${definition.name} cannot be started`);
  const identity = systemUser(plan);
  if (plan.prepare)
    execFileSync(plan.prepare[0] ?? '', plan.prepare.slice(1), { ...identity, stdio: 'ignore', cwd: folder });
  const child = spawn(plan.command[0] ?? '', plan.command.slice(1), {
    ...identity,
    stdio: 'ignore',
    cwd: folder,
  });
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 100; tries += 1) {
    if (await answers(port))
      return { found: { available: true, url: plan.url, how: `started ${binary} on port ${port}` }, stop };
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  return {
    found: { available: false, why: `${binary} did not come up (exit code ${child.exitCode})` },
    stop: nothingToStop,
  };
}

function systemUser(plan: StartPlan): { uid?: number; gid?: number } {
  if (plan.user === undefined || process.getuid?.() !== 0) return {};
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${plan.user}:`));
  if (line === undefined) throw new Error(`${dirname(plan.command[0] ?? '')}: no system user ${plan.user}`);
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const hard = setTimeout(() => child.kill('SIGKILL'), 5_000);
    child.once('exit', () => {
      clearTimeout(hard);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
