import { nodeHost } from '../../src/runtime/host-node.ts';
import type { BusHost } from '../../src/streams/bus/bus.ts';

/** The real host with a wall clock that the test sets. */
export function clockedHost(start = 1_000): BusHost & { clock: number } {
  const host = nodeHost();
  const clocked = { ...host, clock: start, wallTime: () => clocked.clock };
  return clocked;
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text);
export const textOf = (data: Uint8Array): string => Buffer.from(data).toString();
