import { createRuntime } from '../create-system.ts';
import type { Host } from '../host.ts';
import { Ask } from '../kernel/ask.ts';
import { Delivery } from '../kernel/mailbox.ts';
import { light, supervisor } from '../specs.ts';
import { Link } from './link.ts';
import { Subtree } from './remote-host.ts';
import { PortTransport } from './transport.ts';

/** How often it is run: after a few times most of the code is there in a form that starts at once. */
const ROUNDS = 4;

const echo = light('echo', { init: () => 0, receive: (count: number) => count + 1 });
const make = async () => supervisor('rehearsal', { children: [echo] });

/**
 * Mounts a small tree within this thread, speaks with it and stops it. A spare does so while nobody waits for it: code
 * that never ran costs its first run ten milliseconds of reading and compiling, and a crash's replacement would wait.
 */
export async function rehearse(host: Host): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) await rehearseOnce(host);
}

function rehearseOnce(host: Host): Promise<void> {
  const { port1, port2 } = host.channel();
  const transport = new PortTransport(host, port2);
  new Subtree({
    host,
    pid: 0,
    transport,
    make: Promise.resolve(make),
    ready: () => {},
    leave: () => {},
  });
  const core = createRuntime({ node: 'rehearsal', host });
  return new Promise((resolve) => {
    const perform = async (): Promise<void> => {
      const ask = new Ask(core, 'mount/nobody');
      link.deliver(new Delivery(ask.path, { type: 'ECHO' }, ask));
      await ask.promise.catch(() => {}); // nobody is there, which takes the way of an answer too
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
