import { createRuntime } from '../create-system.ts';
import type { Host } from '../host.ts';
import { Ask } from '../kernel/ask.ts';
import { Delivery } from '../kernel/mailbox.ts';
import type { ChildSpec, Message } from '../spec.ts';
import { light, supervisor } from '../specs.ts';
import { Link } from './link.ts';
import { Subtree } from './remote-host.ts';
import { PortTransport } from './transport.ts';

/** How often it is run: V8 has then compiled most of the code, and learnt what it deals with. */
const ROUNDS = 12;

interface Echo extends Message {
  readonly type: 'ECHO';
  readonly reply?: (value: number) => void;
}

const echo = light('echo', {
  init: () => ({ count: 0 }),
  receive: (state, message: Echo) => {
    state.count += 1;
    message.reply?.(state.count);
    return state;
  },
});

/** What is mounted, and who is there to be asked: a root of either kind, a child, and nobody at all. */
const PLAYS: readonly { readonly root: ChildSpec; readonly path: string }[] = [
  { root: echo, path: 'mount' },
  { root: supervisor('rehearsal', { children: [echo] }), path: 'mount/echo' },
  { root: echo, path: 'mount/nobody' },
];

/**
 * Mounts a small tree within this thread, speaks with it and stops it. A spare does so while nobody waits for it: code
 * that never ran costs its first run ten milliseconds of reading and compiling, and a crash's replacement would wait.
 *
 * @param needed whether the spare has been given something to do, which goes first
 */
export async function rehearse(host: Host, needed: () => boolean): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1)
    for (const { root, path } of PLAYS) {
      if (needed()) return;
      await rehearseOnce(host, root, path);
    }
}

function rehearseOnce(host: Host, root: ChildSpec, path: string): Promise<void> {
  const { port1, port2 } = host.channel();
  new Subtree({
    host,
    pid: 0,
    transport: new PortTransport(host, port2),
    make: Promise.resolve(async () => root),
    ready: () => {},
    leave: () => {},
  });
  const core = createRuntime({ node: 'rehearsal', host });
  return new Promise((resolve) => {
    const perform = async (): Promise<void> => {
      link.deliver(new Delivery(path, { type: 'ECHO' }));
      const ask = new Ask(core, path);
      link.deliver(new Delivery(path, { type: 'ECHO' }, ask));
      await ask.promise.catch(() => {}); // nobody may be there, which takes the way of an answer too
      link.control({ type: 'STOP', reason: 'rehearsed' });
    };
    const link = new Link(core, new PortTransport(host, port1), {
      call: () => Promise.resolve(null),
      control: ({ type }) => {
        if (type === 'READY') void perform();
        if (type === 'ENDED' || type === 'FAILED') link.close();
      },
      closed: resolve,
    });
    link.control({ type: 'START', mount: 'mount', name: 'rehearsal', input: null, epoch: 1, moved: null });
  });
}
