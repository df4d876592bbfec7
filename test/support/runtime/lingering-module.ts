import { type ChildSpec, light, type Message } from '../../../src/index.ts';

export interface Traces {
  /** `[incarnations, exit handlers run, ticks of the first incarnation]`. */
  readonly traces: Int32Array;
}

/** A mount that keeps working on a timer, and leaves traces that can be read when its thread is gone. */
export default function make({ traces }: Traces): ChildSpec {
  if (Atomics.add(traces, 0, 1) === 0) setInterval(() => Atomics.add(traces, 2, 1), 1);
  process.on('exit', () => Atomics.add(traces, 1, 1));
  return light('mortal', {
    init: () => 0,
    receive: (count, message: Message) => {
      if (message.type === 'EXIT') process.exit(7);
      if (message.type === 'FAIL') throw new Error('failed on purpose');
      if (message.type === 'GET' && typeof message.reply === 'function') message.reply(count);
      return count;
    },
  });
}
