/** Raw XState actors: nobody above them, no bound, no count. */
import { type AnyStateMachine, createActor } from 'xstate';
import {
  BURST,
  counter,
  counting,
  ping,
  pong,
  producer,
  type Target,
  type Targets,
  toggle,
} from '../../machines.ts';
import { expectEqual, measure, rate } from '../../program.ts';

/** Sent in turns of so many, as the mailboxes that it is compared with have a bound. */
const TURN = 512;

function sendTo(logic: AnyStateMachine, expected: (sent: number) => number) {
  const actor = createActor(logic).start();
  let sent = 0;
  return async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= TURN) {
      for (let n = 0; n < TURN; n += 1) actor.send({ type: 'FLIP' });
      sent += TURN;
      const value = await new Promise<number>((report) => actor.send({ type: 'READ', report }));
      expectEqual('flips', value, expected(sent));
    }
  };
}

await measure({
  send: () =>
    rate(
      TURN * 400,
      sendTo(counting, (sent) => sent),
      TURN * 80,
    ),
  toggle: () =>
    rate(
      TURN * 400,
      sendTo(toggle, (sent) => sent % 2),
      TURN * 80,
    ),
  pingpong: () => {
    const targets: Targets = {};
    let finished = 0;
    targets.ping = createActor(ping(targets, () => (finished += 1))).start();
    targets.pong = createActor(pong).start();
    let runs = 0;
    return rate(100_000, (rounds) => {
      targets.ping?.send({ type: 'START', rounds });
      runs += 1;
      expectEqual('runs', finished, runs);
    });
  },
  oneway: () => {
    const targets: Targets = {};
    // A raw actor's type allows its own events only; the producer sends no others.
    targets.counter = createActor(counter).start() as Target;
    targets.producer = createActor(producer(targets)).start();
    let total = 0;
    return rate(
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
  },
});
