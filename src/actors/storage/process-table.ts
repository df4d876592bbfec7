import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the operating system says of a process, where it has /proc; null where the process is gone or it has none. */

/** Start time in clock ticks since boot, field 22 of /proc/PID/stat: with the pid it names one process for ever. */
export function startTimeOf(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the command in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? null;
}

/** A zombie has ended and only waits for its parent to ask how. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const stat = read(`/proc/${pid}/stat`);
  return stat === null || stat[stat.lastIndexOf(')') + 2] !== 'Z';
}

export function commandOf(pid: number): string | null {
  const line = read(`/proc/${pid}/cmdline`);
  return line === null ? null : line.replaceAll('\0', ' ').trim();
}

/** Processes that stand in `folder` or below: a PostgreSQL server and its backends stay in their data folder. */
export function processesIn(folder: string): readonly number[] {
  let entries: readonly string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return []; // No /proc here: the caller has postmaster.pid.
  }
  return entries
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const standsIn = readlinkSync(`/proc/${pid}/cwd`);
        return (standsIn === folder || standsIn.startsWith(`${folder}/`)) && isAlive(pid);
      } catch {
        return false; // Gone meanwhile, or not ours to look at.
      }
    });
}

/** Sends a signal; false where the process is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
