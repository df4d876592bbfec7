import {
  type ActorSystem,
  type AnyRef,
  type ChildSpec,
  component,
  light,
  type Message,
  type Question,
  type Ref,
  type ReplyOf,
  type SendResult,
  type Slot,
  supervisor,
} from '../../src/index.ts';
import type { Equal, Expect } from './equal.ts';

/** What the compiler knows of an actor's messages. Only compiled (`npm run types`): a false expectation is an error. */
type Counter = { type: 'ADD'; by: number } | Question<{ type: 'READ'; scale: number }, number>;

/** The same, declared with interfaces, which have no index signature. */
interface Add {
  readonly type: 'ADD';
  readonly by: number;
}
interface Read {
  readonly type: 'READ';
  readonly reply?: (value: number) => void;
}

const counter = light('counter', {
  init: (_, context) => {
    // What it hands out of itself at its start is of whatever protocol is wanted.
    const self: Ref<Counter> = context.self;
    self.send({ type: 'ADD', by: 0 });
    return 0;
  },
  receive: (count, message: Counter, context) => {
    context.self.send({ type: 'ADD', by: 1 });
    // @ts-expect-error: an actor knows its own protocol too
    context.self.send({ type: 'SUB', by: 1 });
    if (message.type === 'ADD') return count + message.by;
    // @ts-expect-error: the answer to READ is a number
    message.reply?.('three');
    message.reply?.(count * message.scale);
    return count;
  },
});

const counting = { init: () => 0, receive: (count: number, _message: Counter) => count };

export function specifications(): readonly unknown[] {
  type _Protocol = Expect<Equal<typeof counter, ChildSpec<Counter>>>;
  const interfaces = light('interfaces', {
    init: () => 0,
    receive: (count, message: Add | Read) => (message.type === 'ADD' ? count + message.by : count),
  });
  const untyped = light('untyped', {
    init: () => 0,
    receive: (count, message) => count + Number(message.by),
  });
  type _Untyped = Expect<Equal<typeof untyped, ChildSpec<Message>>>;
  const service = component('service', () => ({ api: { now: () => 1 } }));
  // A list holds children of any protocol, and decides nobody's.
  const children = [counter, interfaces, untyped, service];
  return [
    supervisor('app', { children }),
    supervisor('app', {
      children: [light('in-place', { init: () => 0, receive: (n, message) => n + Number(message.by) })],
    }),
    // @ts-expect-error: a state that is not what `init` gives
    light('state', { init: () => 0, receive: (count: string, _message: Counter) => count }),
    light('kept', counting, { state: { keep: 'last_valid', version: 1, valid: (count) => count >= 0 } }),
    light('kept', counting, {
      // @ts-expect-error: its state is a number
      state: { keep: 'last_valid', version: 1, valid: (count) => count.length > 0 },
    }),
    light('kept', counting, {
      state: { keep: 'last', version: 2, migrate: { 1: (old: readonly string[]) => old.length } },
    }),
    // @ts-expect-error: the next state is not what `init` gives
    light('next', { init: () => 0, receive: (_count, _message: Counter) => 'zero' }),
  ];
}

export function inputs(): readonly unknown[] {
  const logic = {
    init: (input: { from: number }) => input.from,
    receive: (count: number, _message: Counter) => count,
  };
  return [
    light('given', logic, { input: { from: 1 } }),
    // @ts-expect-error: its input is missing
    light('missing', logic),
    // @ts-expect-error: its input is missing here too
    light('missing', logic, { restart: 'transient' }),
    // @ts-expect-error: its input is of another type
    light('wrong', logic, { input: { from: 'one' } }),
    light('none', { init: () => 0, receive: (count, _message: Counter) => count }, { restart: 'transient' }),
  ];
}

export async function messages(ref: Ref<Counter>): Promise<void> {
  const result = ref.send({ type: 'ADD', by: 2 });
  type _Result = Expect<Equal<typeof result, SendResult>>;
  // A question may also just be sent.
  ref.send({ type: 'READ', scale: 1 });
  await ref.offer({ type: 'ADD', by: 2 });
  // @ts-expect-error: no such message
  ref.send({ type: 'SUB', by: 2 });
  // @ts-expect-error: a field of another type
  ref.send({ type: 'ADD', by: 'two' });
  // @ts-expect-error: a field is missing
  ref.send({ type: 'ADD' });
  // @ts-expect-error: offered messages are checked as sent ones are
  await ref.offer({ type: 'SUB' });

  const answer = await ref.ask({ type: 'READ', scale: 2 });
  type _Answer = Expect<Equal<typeof answer, number>>;
  // @ts-expect-error: the answer is a number, whatever the caller wishes
  const _wish: string = await ref.ask({ type: 'READ', scale: 2 });
  // @ts-expect-error: a field of the question is missing
  await ref.ask({ type: 'READ' });
  // @ts-expect-error: nobody answers an ADD
  await ref.ask({ type: 'ADD', by: 1 });

  type _Reply = Expect<Equal<ReplyOf<Question<{ type: 'GET' }, readonly string[]>>, readonly string[]>>;
}

export async function interfaces(ref: Ref<Add | Read>): Promise<void> {
  ref.send({ type: 'ADD', by: 1 });
  // @ts-expect-error: no such message
  ref.send({ type: 'SUB' });
  const answer = await ref.ask({ type: 'READ' });
  type _Answer = Expect<Equal<typeof answer, number>>;
}

export async function references(system: ActorSystem): Promise<void> {
  const root = await system.start(counter);
  type _Started = Expect<Equal<typeof root, Ref<Counter>>>;
  const child = await system.startChild('app', counter);
  type _Child = Expect<Equal<typeof child, Ref<Counter>>>;
  const managed = await system.supervisor('app').startChild(counter);
  type _Managed = Expect<Equal<typeof managed, Ref<Counter>>>;
  const replaced = await system.supervisor('app').replaceChild(counter);
  type _Replaced = Expect<Equal<typeof replaced, Ref<Counter>>>;
  const tree = await system.start(supervisor('app', { children: [counter] }));
  type _Tree = Expect<Equal<typeof tree, Ref<Message>>>;

  const slot = system.slot<Counter>('app/counter');
  const answer = await slot.ask({ type: 'READ', scale: 1 });
  type _Slot = Expect<Equal<typeof answer, number>>;
  const named: Slot<Counter> = system.named<Counter>('counter');
  // @ts-expect-error: no such message
  named.send({ type: 'SUB' });
  const group = system.group<Counter>('counters');
  group.broadcast({ type: 'ADD', by: 1 });
  // @ts-expect-error: no such message
  group.broadcast({ type: 'SUB' });
  const picked = group.pick();
  type _Picked = Expect<Equal<typeof picked, Ref<Counter> | undefined>>;
  const found = system.lookup<Counter>('app/counter');
  type _Found = Expect<Equal<typeof found, Ref<Counter> | undefined>>;

  // Without a protocol anything may be said, and the caller names the answer.
  const any = system.slot('app/counter');
  any.send({ type: 'WHATEVER', with: 1 });
  const unknown = await any.ask({ type: 'READ' });
  type _Unknown = Expect<Equal<typeof unknown, unknown>>;
  const given = await any.ask<number>({ type: 'READ' });
  type _Given = Expect<Equal<typeof given, number>>;
}

export function anyActor(one: Ref<Counter>, other: Ref<Add | Read>): readonly AnyRef[] {
  one.link(other);
  other.monitor((down) => {
    if (down.reason.kind === 'error') down.reason.error.message.trim();
    // @ts-expect-error: only an error has one
    down.reason.error;
  });
  // @ts-expect-error: who takes ADD and READ does not take everything
  const _everything: Ref = one;
  return [one, other];
}

export async function components(system: ActorSystem): Promise<void> {
  const spec = component('counter', async () => {
    let count = 0;
    return {
      handle: (message: Counter) => {
        if (message.type === 'ADD') count += message.by;
        return count;
      },
    };
  });
  type _Spec = Expect<Equal<typeof spec, ChildSpec<Counter>>>;
  const ref = await system.start(spec);
  const answer = await ref.ask({ type: 'READ', scale: 1 });
  type _Answer = Expect<Equal<typeof answer, number>>;
  const untyped = component('untyped', () => ({ handle: (message) => message.type }));
  type _Untyped = Expect<Equal<typeof untyped, ChildSpec<Message>>>;
}

export function services(system: ActorSystem): void {
  const clock = system.service<{ now(): number }>('clock');
  const now = clock.now();
  type _Now = Expect<Equal<typeof now, number>>;
  // @ts-expect-error: its interface has no such method
  clock.later();
}
