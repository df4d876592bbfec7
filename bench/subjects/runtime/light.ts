/** Light actors, each supervised, bounded and counted, through the public API. */
import { type ActorSystem, light, type Message, type Question, type Ref } from '../../../src/index.ts';
import { BURST } from '../../machines.ts';
import { expectEqual, measure, percentile, rate } from '../../program.ts';
import { expectDelivered, plant } from './tree.ts';

function find<M extends { readonly type: string } = Message>(system: ActorSystem, id: string): Ref<M> {
  const found = system.lookup<M>(`bench/${id}`);
  if (found === undefined) throw new Error(`${id} did not start`);
  return found;
}

interface Ping {
  readonly type: 'PING';
  readonly n: number;
  readonly from: Ref<PingMessage>;
}
interface Game {
  readonly rounds: number;
  readonly ping: Ref<PingMessage>;
  readonly pong: Ref<Ping>;
  readonly done: () => void;
}
type PingMessage =
  | { readonly type: 'START'; readonly game: Game }
  | { readonly type: 'PONG'; readonly n: number };

async function pingpong(): Promise<number> {
  const pong = light('pong', {
    init: () => 0,
    receive: (count: number, message: Ping) => {
      message.from.send({ type: 'PONG', n: message.n });
      return count + 1;
    },
  });
  const ping = light('ping', {
    init: (): Game | null => null,
    receive: (game: Game | null, message: PingMessage) => {
      if (message.type === 'START') {
        message.game.pong.send({ type: 'PING', n: message.game.rounds, from: message.game.ping });
        return message.game;
      }
      if (message.n > 1) game?.pong.send({ type: 'PING', n: message.n - 1, from: game.ping });
      else game?.done();
      return game;
    },
  });
  const system = await plant([pong, ping]);
  const refs = { ping: find<PingMessage>(system, 'ping'), pong: find<Ping>(system, 'pong') };
  const perSecond = await rate(
    2_000_000,
    (rounds) =>
      new Promise<void>((done) => {
        refs.ping.send({ type: 'START', game: { rounds, ...refs, done } });
      }),
  );
  expectDelivered(system);
  return perSecond;
}

type CounterMessage =
  | { readonly type: 'ADD'; readonly value: number }
  | { readonly type: 'ACK'; readonly from: Ref<ProducerMessage> }
  | Question<{ readonly type: 'READ' }, number>;
interface Job {
  readonly left: number;
  readonly producer: Ref<ProducerMessage>;
  readonly counter: Ref<CounterMessage>;
  readonly done: () => void;
}
type ProducerMessage = { readonly type: 'START'; readonly job: Job } | { readonly type: 'MORE' };

const counter = () =>
  light('counter', {
    init: () => 0,
    receive: (sum: number, message: CounterMessage) => {
      switch (message.type) {
        case 'ADD':
          return sum + message.value;
        case 'ACK':
          message.from.send({ type: 'MORE' });
          return sum;
        case 'READ':
          message.reply?.(sum);
          return sum;
      }
    },
  });

/** Sends so many additions in bursts, two of them on their way at most: no mailbox overflows. */
const producer = () =>
  light('producer', {
    init: (): Job | null => null,
    receive: (job: Job | null, message: ProducerMessage) => {
      if (message.type === 'START') {
        message.job.producer.send({ type: 'MORE' });
        message.job.producer.send({ type: 'MORE' });
        return message.job;
      }
      if (job === null || job.left === 0) return job;
      for (let n = 0; n < BURST; n += 1) job.counter.send({ type: 'ADD', value: 1 });
      job.counter.send({ type: 'ACK', from: job.producer });
      if (job.left === BURST) job.done();
      return { ...job, left: job.left - BURST };
    },
  });

async function oneway(): Promise<number> {
  const system = await plant([counter(), producer()]);
  const target = find<CounterMessage>(system, 'counter');
  const source = find<ProducerMessage>(system, 'producer');
  let total = 0;
  const perSecond = await rate(
    BURST * 40_000,
    async (count) => {
      await new Promise<void>((done) => {
        source.send({ type: 'START', job: { left: count, producer: source, counter: target, done } });
      });
      total += count;
      expectEqual('sum', await target.ask({ type: 'READ' }), total);
    },
    BURST * 8_000,
  );
  expectDelivered(system);
  return perSecond;
}

async function ask(): Promise<number> {
  const system = await plant([counter()]);
  const target = find<CounterMessage>(system, 'counter');
  return rate(400_000, async (count) => {
    for (let n = 0; n < count; n += 1) {
      if ((await target.ask({ type: 'READ' })) !== 0) throw new Error('a wrong answer');
    }
  });
}

const RESTARTS = 5_000;
const RESTARTS_WARM_UP = 2_000;

/** Microseconds, p50: from the throw to the new incarnation's first message, which another actor sends by a slot. */
async function restart(): Promise<number> {
  let threwAt = 0;
  let handled: (at: number) => void = () => {};
  let sendProbe: () => void = () => {};
  const victim = light('victim', {
    init: () => 0,
    receive: (count: number, message: { readonly type: 'CRASH' | 'PROBE' }) => {
      if (message.type === 'PROBE') {
        handled(performance.now());
        return count;
      }
      sendProbe();
      // Made before the clock starts: what is timed begins with the throw.
      const crash = new Error('crash');
      threwAt = performance.now();
      throw crash;
    },
  });
  const prober = light('prober', {
    init: () => 0,
    receive: (count: number, _message: { readonly type: 'GO' }, { system }) => {
      system.slot('bench/victim').send({ type: 'PROBE' });
      return count + 1;
    },
  });
  const system = await plant([victim, prober]);
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

await measure({ pingpong, oneway, ask, restart });
