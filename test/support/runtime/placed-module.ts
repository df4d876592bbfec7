import { type Ambient, type ChildSpec, light, type Question, supervisor } from '../../../src/index.ts';

export type CellMessage =
  | { readonly type: 'ADD' }
  | { readonly type: 'N'; readonly n: number }
  | { readonly type: 'BYTES'; readonly bytes: Uint8Array }
  | { readonly type: 'BOOM' }
  | Question<{ readonly type: 'READ' }, number>
  | Question<{ readonly type: 'LATER' }, string>
  | Question<{ readonly type: 'SILENT' }, null>
  | Question<{ readonly type: 'AMBIENT' }, Ambient | null>
  | Question<{ readonly type: 'ORDER' }, readonly number[]>;

interface Seen {
  readonly count: number;
  readonly order: readonly number[];
}

const cell = (id: string, capacity: number): ChildSpec<CellMessage> =>
  light(
    id,
    {
      init: (): Seen => ({ count: 0, order: [] }),
      receive: ({ count, order }, message: CellMessage, context): Seen => {
        switch (message.type) {
          case 'ADD':
            return { count: count + 1, order };
          case 'N':
            return { count, order: [...order, message.n % 256] };
          case 'BYTES':
            return { count, order: [...order, message.bytes[0] ?? -1] };
          case 'BOOM':
            throw new Error('boom');
          case 'READ':
            message.reply?.(count);
            break;
          case 'ORDER':
            message.reply?.(order);
            break;
          case 'AMBIENT':
            message.reply?.(context.ambient);
            break;
          case 'LATER':
            context.host.setTimer(20, () => message.reply?.('later'));
        }
        return { count, order };
      },
    },
    { mailbox: { capacity, overflow: 'backpressure' } },
  );

/** The subtree of the placement contract. */
export default function make(): ChildSpec {
  return supervisor('placed', {
    intensity: { max: 100, within: 1_000 },
    children: [cell('counter', 1_024), cell('order', 1_024), cell('narrow', 8)],
  });
}
