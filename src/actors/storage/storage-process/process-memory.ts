import { readFileSync } from 'node:fs';

const PAGE_BYTES = 4096;

/** Resident bytes of a process that its file cache does not explain; 0 where the system does not tell. */
export function residentBytes(pid: number): number {
  try {
    const [, resident, shared] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
    return (Number(resident) - Number(shared)) * PAGE_BYTES;
  } catch {
    // Gone meanwhile, or a system without /proc.
    return 0;
  }
}
