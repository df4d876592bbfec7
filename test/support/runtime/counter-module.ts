import type { ChildSpec, Message } from '../../../src/index.ts';
import { component, light, supervisor } from '../../../src/index.ts';

const loadedAt = Date.now();

function answer(message: Message, value: unknown): void {
  if (typeof message.reply === 'function') message.reply(value);
}

/** A subtree for the tests of remote mounts: a counter, an echo, and ways to die. */
export default function make(input: { readonly from?: number; readonly failToStart?: boolean }): ChildSpec {
  if (input.failToStart === true) throw new Error('the module refuses');
  return supervisor('replaced', {
    children: [
      light('counter', {
        init: () => input.from ?? 0,
        receive: (count, message: Message) => {
          if (message.type === 'ADD') return count + 1;
          if (message.type === 'GET') answer(message, count);
          if (message.type === 'BOOM') throw new Error('boom in the counter');
          return count;
        },
      }),
      component('talker', (context) => ({
        handle: async (message) => {
          if (message.type === 'PING') return { from: context.self.path, text: message.text };
          if (message.type === 'PID') return process.pid;
          if (message.type === 'LOADED_AT') return loadedAt;
          if (message.type === 'MOUNTS') return context.system.mounts();
          if (message.type === 'ASK')
            return context.system.slot(String(message.to)).ask({ type: 'PING', text: 'via' });
          return null;
        },
      })),
      component('streamer', (context) => {
        let next = 0;
        const burst = (to: string): void => {
          for (let n = 0; n < 20; n += 1) context.system.slot(to).send({ type: 'N', n: next++ });
          if (!context.signal.aborted) setImmediate(() => burst(to));
        };
        return { handle: (message) => burst(String(message.to)) };
      }),
      light('order', {
        init: () => ({ last: -1, seen: 0, inversions: 0 }),
        receive: (state, message: Message) => {
          if (message.type === 'REPORT') answer(message, state);
          if (message.type !== 'N') return state;
          const n = Number(message.n);
          return { last: n, seen: state.seen + 1, inversions: state.inversions + (n < state.last ? 1 : 0) };
        },
      }),
      component('mortal', () => ({
        handle: (message) => {
          if (message.type === 'EXIT') process.exit(7);
          if (message.type === 'THROW')
            setTimeout(() => {
              throw new Error('nobody catches this');
            }, 0);
          if (message.type === 'REJECT') void Promise.reject(new Error('nobody awaits this'));
          if (message.type === 'SPIN') for (;;);
          if (message.type === 'OOM') {
            const kept: unknown[] = [];
            for (;;) kept.push(new Array(1_000_000).fill(kept.length));
          }
          return null;
        },
      })),
    ],
  });
}
