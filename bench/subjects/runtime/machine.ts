/** Machine actors, each supervised, bounded and counted, through the public API. */
import { type AnyStateMachine, setup } from 'xstate';
import { type ActorSystem, light, machine, type Ref } from '../../../src/index.ts';
import { BURST, counter, counting, ping, pong, producer, type Targets, toggle } from '../../machines.ts';
import { expectEqual, measure, percentile, rate } from '../../program.ts';
import { expectDelivered, plant } from './tree.ts';

/** Sent in turns of so many: half of a mailbox. */
const TURN = 512;

function find(system: ActorSystem, id: string): Ref {
  const found = system.lookup(`bench/${id}`);
  if (found === undefined) throw new Error(`${id} did not start`);
  return found;
}

async function sendTo(logic: AnyStateMachine, expected: (sent: number) => number): Promise<number> {
  const system = await plant([machine('target', logic)]);
  const target = find(system, 'target');
  let sent = 0;
  const perSecond = await rate(
    TURN * 400,
    async (count) => {
      for (let left = count; left > 0; left -= TURN) {
        for (let n = 0; n < TURN; n += 1) target.send({ type: 'FLIP' });
        sent += TURN;
        const value = await new Promise<number>((report) => target.send({ type: 'READ', report }));
        expectEqual('flips', value, expected(sent));
      }
    },
    TURN * 80,
  );
  expectDelivered(system);
  return perSecond;
}

async function pingpong(): Promise<number> {
  const targets: Targets = {};
  let finished: () => void = () => {};
  const system = await plant([
    machine(
      'ping',
      ping(targets, () => finished()),
    ),
    machine('pong', pong),
  ]);
  targets.ping = find(system, 'ping');
  targets.pong = find(system, 'pong');
  const perSecond = await rate(100_000, async (rounds) => {
    await new Promise<void>((resolve) => {
      finished = resolve;
      targets.ping?.send({ type: 'START', rounds });
    });
  });
  expectDelivered(system);
  return perSecond;
}

async function oneway(): Promise<number> {
  const targets: Targets = {};
  const system = await plant([machine('counter', counter), machine('producer', producer(targets))]);
  targets.counter = find(system, 'counter');
  targets.producer = find(system, 'producer');
  let total = 0;
  const perSecond = await rate(
    BURST * 800,
    async (count) => {
      total += count;
      const sum = await new Promise<number>((report) =>
        targets.producer?.send({ type: 'START', count, report }),
      );
      expectEqual('sum', sum, total);
    },
    BURST * 160,
  );
  expectDelivered(system);
  return perSecond;
}

const RESTARTS = 3_000;
const RESTARTS_WARM_UP = 2_000;

/** Microseconds, p50: from the throw in an action to the new incarnation's first event, which another actor sends by a slot. */
async function restart(): Promise<number> {
  let threwAt = 0;
  let handled: (at: number) => void = () => {};
  let sendProbe: () => void = () => {};
  const victim = setup({ types: { events: {} as { readonly type: 'CRASH' | 'PROBE' } } }).createMachine({
    id: 'victim',
    on: {
      PROBE: { actions: () => handled(performance.now()) },
      CRASH: {
        actions: () => {
          sendProbe();
          // Made before the clock starts: what is timed begins with the throw.
          const crash = new Error('crash');
          threwAt = performance.now();
          throw crash;
        },
      },
    },
  });
  const system = await plant([
    machine('victim', victim),
    // A function over state, so that what is timed is the victim's restart and its next event, not another statechart.
    light('prober', {
      init: (_input: undefined, context) => context.system.slot('bench/victim'),
      receive: (slot) => {
        slot.send({ type: 'PROBE' });
        return slot;
      },
    }),
  ]);
  const probing = find(system, 'prober');
  // It comes up in the run queue behind the crash.
  sendProbe = () => probing.send({ type: 'GO' });
  const times: number[] = [];
  for (let n = 0; n < RESTARTS + RESTARTS_WARM_UP; n += 1) {
    const at = await new Promise<number>((resolve) => {
      handled = resolve;
      system.slot('bench/victim').send({ type: 'CRASH' });
    });
    if (n >= RESTARTS_WARM_UP) times.push((at - threwAt) * 1_000);
  }
  expectDelivered(system);
  return percentile(times, 0.5);
}

await measure({
  send: () => sendTo(counting, (sent) => sent),
  toggle: () => sendTo(toggle, (sent) => sent % 2),
  pingpong,
  oneway,
  restart,
});
