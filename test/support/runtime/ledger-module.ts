import { threadId } from 'node:worker_threads';
import { type ActorContext, type ChildSpec, light, type Question, supervisor } from '../../../src/index.ts';

/** What came from each sender: how many, the last number, and how often a number was not the next one. */
export interface Ledger {
  readonly thread: number;
  readonly senders: Readonly<Record<string, { readonly count: number; readonly wrong: number }>>;
}

export type LedgerMessage =
  | { readonly type: 'ENTRY'; readonly sender: string; readonly n: number }
  | { readonly type: 'BYTES'; readonly bytes: Uint8Array }
  | Question<{ readonly type: 'READ' }, Ledger>
  | Question<{ readonly type: 'SLOWLY'; readonly after?: number }, string>
  | { readonly type: 'BOOM' };

export type WriterMessage =
  | { readonly type: 'WRITE'; readonly to: string; readonly count: number; readonly by: 'slot' | 'ref' }
  | { readonly type: 'NEXT' }
  | { readonly type: 'WATCH'; readonly to: string; readonly after: number }
  | { readonly type: 'HEAR'; readonly what: string }
  | Question<{ readonly type: 'HEARD' }, readonly string[]>
  | Question<{ readonly type: 'WRITTEN' }, number>;

interface Writing {
  readonly to: string;
  readonly count: number;
  readonly by: 'slot' | 'ref';
  readonly n: number;
  /** Of the ledger that it watches: its end, and its answer. */
  readonly heard: readonly string[];
}

const ledger = (): ChildSpec<LedgerMessage> =>
  light('ledger', {
    init: (): Ledger['senders'] => ({}),
    receive: (senders, message: LedgerMessage, context): Ledger['senders'] => {
      if (message.type === 'READ') message.reply?.({ thread: threadId, senders });
      if (message.type === 'SLOWLY')
        context.host.setTimer(message.after ?? 150, () => message.reply?.('answered'));
      if (message.type === 'BOOM') throw new Error('boom');
      if (message.type === 'BYTES') {
        const [n = -1] = message.bytes;
        return enter(senders, 'bytes', n, 256);
      }
      return message.type === 'ENTRY' ? enter(senders, message.sender, message.n, Infinity) : senders;
    },
  });

function enter(senders: Ledger['senders'], sender: string, n: number, modulus: number): Ledger['senders'] {
  const { count, wrong } = senders[sender] ?? { count: 0, wrong: 0 };
  const isNext = n === (modulus === Infinity ? count : count % modulus);
  return { ...senders, [sender]: { count: count + 1, wrong: wrong + (isNext ? 0 : 1) } };
}

/** Hears of the end of a ledger, and of its slow answer. */
function watch(to: string, after: number, { system, self }: ActorContext<WriterMessage>): void {
  const hear = (what: string): void => void self.send({ type: 'HEAR', what });
  const ref = system.lookup<LedgerMessage>(to);
  ref?.monitor(({ reason }) => hear(reason.kind));
  ref?.ask({ type: 'SLOWLY', after }).then(hear, (error: unknown) => hear(String(error)));
}

/** Sends numbered entries, each again until it is sent. */
const writer = (sender: string): ChildSpec<WriterMessage> =>
  light(sender, {
    init: (): Writing => ({ to: '', count: 0, by: 'slot', n: 0, heard: [] }),
    receive: (writing, message: WriterMessage, context): Writing => {
      if (message.type === 'WRITTEN') message.reply?.(writing.n);
      if (message.type === 'HEARD') message.reply?.(writing.heard);
      if (message.type === 'HEAR') return { ...writing, heard: [...writing.heard, message.what] };
      if (message.type === 'WATCH') watch(message.to, message.after, context);
      if (message.type !== 'WRITE' && message.type !== 'NEXT') return writing;
      const { to, count, by, n } = message.type === 'WRITE' ? { ...message, n: 0 } : writing;
      const { system, self } = context;
      const ledger = by === 'ref' ? system.lookup(to) : system.slot(to);
      let next = n;
      while (next < count && next < n + 20 && ledger?.send({ type: 'ENTRY', sender, n: next }) === 'sent')
        next += 1;
      if (next < count) context.host.defer(() => void self.send({ type: 'NEXT' }));
      return { ...writing, to, count, by, n: next };
    },
  });

/** Below a mount: a ledger with state, or writers. */
export default function make(input: {
  readonly writers?: readonly string[];
  readonly bad?: string;
}): ChildSpec {
  if (input.bad === 'exit') process.exit(9);
  if (input.bad === 'throw') throw new Error('the module refuses');
  return supervisor('replaced', { children: [ledger(), ...(input.writers ?? []).map(writer)] });
}
