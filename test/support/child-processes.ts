import { readdirSync, readFileSync } from 'node:fs';

/** State and parent of a process, as /proc has them; null where it is gone. */
function statusOf(pid: number): { readonly state: string; readonly parent: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const parent = Number(/^PPid:\s+(\d+)/m.exec(text)?.[1]);
    return { state: /^State:\s+(\w)/m.exec(text)?.[1] ?? '', parent };
  } catch {
    return null;
  }
}

/** A zombie that nobody reaps holds nothing any more. */
export function isRunning(pid: number): boolean {
  const status = statusOf(pid);
  return status !== null && status.state !== 'Z';
}

/** Pids of the processes that this one started and that still run. */
export const childrenOf = (parent: number): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && statusOf(pid)?.parent === parent && isRunning(pid));
