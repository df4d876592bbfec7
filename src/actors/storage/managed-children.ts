import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError } from '../../errors.ts';
import { type Host, sleep } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { commandOf, isAlive, processesIn, signal, startTimeOf } from './process-table.ts';

/** A child process that must not outlive the board unnoticed. */
export interface ManagedChild {
  readonly pid: number;
  /** Of the operating system, where it tells: pid and start time together name one process. */
  readonly startTime: string | null;
  /** `postgres`, `initdb`, … */
  readonly kind: string;
  /** Executable, as it stands in the process's command line. */
  readonly command: string;
  readonly port: number | null;
  /** Folder that only one such process may use at a time. */
  readonly dataDir: string | null;
}

/**
 * `run/children.json`: who runs on the board's behalf. kill -9 of the board leaves its servers alive; the next boot
 * reads this file, after it has taken the data lock and before it starts anything.
 */
export class ManagedChildren {
  readonly #file: string;
  #children: readonly ManagedChild[];

  /** @param file path of children.json; its folder is made where missing. */
  constructor(file: string) {
    this.#file = file;
    mkdirSync(dirname(file), { recursive: true });
    this.#children = read(file);
  }

  list(): readonly ManagedChild[] {
    return this.#children;
  }

  /** Call right after the spawn: what dies between the two is found by its data folder. */
  record(child: Omit<ManagedChild, 'startTime'>): void {
    this.#write([
      ...this.#children.filter((other) => other.pid !== child.pid),
      { ...child, startTime: startTimeOf(child.pid) },
    ]);
  }

  forget(pid: number): void {
    this.#write(this.#children.filter((child) => child.pid !== pid));
  }

  /** Stops the survivors of an earlier board and waits until they are gone. Returns those that were still alive. */
  async reclaim(host: Host, log: Log): Promise<readonly ManagedChild[]> {
    const survivors: ManagedChild[] = [];
    for (const child of this.#children) {
      if (isSame(child)) {
        survivors.push(child);
        log.warn({ ...child }, `a ${child.kind} process outlived its board; it is stopped`);
        // What it was making is made again from the start: there is nothing to shut down cleanly.
        await stopProcess(child.pid, host, child.kind === 'initdb' ? BY_FORCE : SIGNALS[child.kind]);
      }
      if (child.dataDir !== null) await freeDataDir(child.dataDir, host, log);
      this.forget(child.pid);
    }
    return survivors;
  }

  /** For the very end of this process, when there was no time to stop them: nothing can be waited for any more. */
  cutOff(): void {
    for (const child of this.#children)
      if (isSame(child)) signal(child.pid, child.kind === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
  }

  #write(children: readonly ManagedChild[]): void {
    this.#children = children;
    const unfinished = `${this.#file}.${process.pid}.tmp`;
    writeFileSync(unfinished, `${JSON.stringify(children, null, 2)}\n`, { mode: 0o600 });
    renameSync(unfinished, this.#file);
  }
}

function read(file: string): readonly ManagedChild[] {
  if (!existsSync(file)) return [];
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(parsed) ? parsed.filter(isManagedChild) : [];
  } catch (error) {
    throw new Error(`${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
}

const isManagedChild = (value: unknown): value is ManagedChild =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  typeof value.pid === 'number' &&
  'command' in value &&
  typeof value.command === 'string' &&
  'kind' in value &&
  'dataDir' in value;

/** Whether the process with this pid is the one recorded, and not a stranger that was given its number. */
function isSame(child: ManagedChild): boolean {
  if (!isAlive(child.pid)) return false;
  if (child.startTime !== null) {
    return startTimeOf(child.pid) === child.startTime && (commandOf(child.pid) ?? '').includes(child.command);
  }
  return child.dataDir !== null && postmasterPid(child.dataDir) === child.pid;
}

const postmasterPid = (dataDir: string): number | null => {
  const file = join(dataDir, 'postmaster.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n', 1)[0]) : null;
};

/** How long each signal is given before the next, harder one. PostgreSQL: fast, immediate, and then by force. */
const QUIT_MS = 2_000;
const KILL_MS = 5_000;
const BY_FORCE: readonly (readonly [NodeJS.Signals, number])[] = [['SIGKILL', KILL_MS]];
const IN_TURN: typeof BY_FORCE = [['SIGINT', 5_000], ['SIGQUIT', QUIT_MS], ...BY_FORCE];
/** MariaDB does not listen to SIGINT. */
const SIGNALS: Readonly<Record<string, typeof BY_FORCE>> = {
  mysql: [['SIGTERM', 5_000], ...BY_FORCE],
};
const POLL_MS = 10;

/** Ends a process that is not our child. Throws where even SIGKILL does not help. */
async function stopProcess(pid: number, host: Host, signals = IN_TURN): Promise<void> {
  for (const [name, patience] of signals) {
    signal(pid, name);
    const until = host.now() + patience;
    while (host.now() < until) {
      if (!isAlive(pid)) return;
      await sleep(host, POLL_MS);
    }
  }
  throw new Error(`the process ${pid} did not end, not even by SIGKILL`);
}

/**
 * Makes sure that no process of a server uses its data folder: neither one nobody recorded, nor PostgreSQL backends whose
 * server was killed (they hold its shared memory, and a new server refuses to start), nor what initdb left running in
 * the folder above, which is ours alone. Then removes the server's lock file.
 */
export async function freeDataDir(dataDir: string, host: Host, log: Log): Promise<void> {
  const server = postmasterPid(dataDir);
  const folder = dirname(dataDir);
  if (server !== null && processesIn(folder).includes(server)) {
    log.warn({ pid: server, dataDir }, 'a PostgreSQL server holds our data folder; it is stopped');
    await stopProcess(server, host);
  }
  for (const pid of processesIn(folder)) {
    log.warn({ pid, dataDir }, 'a process of a server outlived its parent; it is stopped');
    signal(pid, 'SIGQUIT');
  }
  const until = host.now() + QUIT_MS;
  // A process that is just becoming another program shows no command line for a moment: one empty look is none.
  for (let empty = 0; empty < 2; ) {
    const left = processesIn(folder);
    empty = left.length === 0 ? empty + 1 : 0;
    if (empty === 2) break;
    if (host.now() > until) for (const pid of left) signal(pid, 'SIGKILL');
    if (host.now() > until + KILL_MS) throw new Error(`processes in ${folder} do not end`);
    await sleep(host, POLL_MS);
  }
  // Where there is /proc, we know by now that whoever has this pid is a stranger.
  if (server !== null && (!isAlive(server) || startTimeOf(server) !== null)) {
    rmSync(join(dataDir, 'postmaster.pid'), { force: true });
  }
}
