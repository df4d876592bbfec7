import type { Host, HostProcess } from '../../../runtime/host.ts';

/** What the process needs of our environment; the board's keys and URLs are none of it. */
const PASSED = ['PATH', 'TMPDIR', 'TEMP', 'TZ', 'LANG', 'SystemRoot', 'NODE_COMPILE_CACHE'] as const;

/**
 * How StorageProcesses starts its children.
 * @param entry path of worker/storage-process.
 */
export function storageProcessSpawner(host: Host, entry: string): (socket: string) => HostProcess {
  const env: Record<string, string> = {};
  for (const name of PASSED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  // A group of its own: Ctrl-C is for the board, which lets statements finish.
  return (socket) =>
    host.spawnProcess({ command: process.execPath, args: [entry, socket], ipc: true, ownGroup: true, env });
}
