/** What is appended to a durable log by both sides, about 100 bytes as JSON; and how long a program appends. */
export const WRITERS = 64;
export const WARM_UP_MS = 300;
export const MS = 1_200;

export const event = (n: number): object => ({
  type: 'READING',
  sensor: 'boiler-17',
  value: n,
  note: 'a note of some length, as notes are in such events',
});
