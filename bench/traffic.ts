/** What is sent between threads by both sides of a comparison, and at what pace. */

/** Sent in one turn. */
export const BURST = 512;
/** On their way at most: what a receiver's bounded ring or mailbox holds. */
export const WINDOW = 8 * BURST;
const RECORD_BYTES = 32;
/** Records that are sent in turn. */
const POOL = 1_024;

export interface Tick {
  readonly type: 'TICK';
  readonly id: number;
  readonly sensor: string;
  readonly value: number;
}

export const tick = (id: number): Tick => ({ type: 'TICK', id, sensor: 'boiler-17', value: id / 2 });

const pool: readonly Uint8Array[] = Array.from({ length: POOL }, (_, id) => {
  const record = new Uint8Array(RECORD_BYTES).fill(7);
  new DataView(record.buffer).setUint32(0, id, true);
  return record;
});

/** Each record has a buffer of its own; its first four bytes say which one it is. */
export const record = (n: number): Uint8Array => pool[n % POOL] as Uint8Array; // inside the pool

/** What a receiver of `count` of them has added up: ids of ticks from 0 on, or those of the pool in turn. */
export function checksum(kind: 'objects' | 'binary', from: number, count: number): number {
  let sum = 0;
  for (let id = from; id < from + count; id += 1) sum += kind === 'objects' ? id : id % POOL;
  return sum;
}

/** The number of a record that begins at `start`. */
export const recordId = (data: Uint8Array, start: number): number =>
  (data[start] ?? 0) |
  ((data[start + 1] ?? 0) << 8) |
  ((data[start + 2] ?? 0) << 16) |
  ((data[start + 3] ?? 0) << 24);

/** Keeps so many calls under way until `count` have been answered. */
export async function keepInFlight(
  count: number,
  inFlight: number,
  call: (n: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const n = next;
      next += 1;
      if ((await call(n)) !== n) throw new Error(`call ${n} had another's answer`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}
