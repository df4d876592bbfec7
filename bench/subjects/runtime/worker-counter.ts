/** The actor that runs in the worker: counts what it is sent, and answers. */
import { light, type MailboxOptions, type Question } from '../../../src/index.ts';
import { recordId, type Tick, WINDOW } from '../../traffic.ts';

export type CounterMessage =
  | Tick
  | { readonly type: 'BYTES'; readonly data: Uint8Array; readonly start: number }
  | { readonly type: 'CRASH' }
  /** Answered when everything before it has been handled. */
  | Question<{ readonly type: 'SUM' }, number>
  | Question<{ readonly type: 'ECHO'; readonly n: number }, number>;

/** As many as the other side has on their way. */
export const MAILBOX: MailboxOptions = { capacity: WINDOW, overflow: 'backpressure' };

interface Counts {
  sum: number;
}

export default () =>
  light(
    'counter',
    {
      init: (): Counts => ({ sum: 0 }),
      receive: (counts: Counts, message: CounterMessage) => {
        switch (message.type) {
          case 'TICK':
            counts.sum += message.id;
            break;
          case 'BYTES':
            counts.sum += recordId(message.data, message.start);
            break;
          case 'ECHO':
            message.reply?.(message.n);
            break;
          case 'SUM':
            message.reply?.(counts.sum);
            break;
          case 'CRASH':
            process.exit(1);
        }
        return counts;
      },
    },
    { mailbox: MAILBOX },
  );
