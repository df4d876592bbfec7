import { threadId } from 'node:worker_threads';
import { light, type Question, supervisor } from '../../src/index.ts';

/** What the counter of examples/rolling-update.ts takes, wherever it lives. */
export type Tally =
  | { type: 'COUNT' }
  | Question<{ type: 'TOTAL' }, { readonly total: number; readonly thread: number }>;

/** A subtree for a worker thread: its root takes the mount's place, its children live below it. */
export default () =>
  supervisor('tally', {
    children: [
      light('counter', {
        init: () => 0,
        receive: (total, message: Tally) => {
          if (message.type === 'COUNT') return total + 1;
          message.reply?.({ total, thread: threadId });
          return total;
        },
      }),
    ],
  });
