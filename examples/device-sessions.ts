import { createSystem, light, type Question, sleep, supervisor } from '../src/index.ts';

/**
 * A dynamic supervisor with a session for each device that is connected: added and removed at run time, by the
 * thousand. A session that crashes comes back alone; one that has said goodbye is done and not restarted (transient).
 */
type Session =
  | { type: 'READING'; celsius: number }
  | { type: 'BYE' }
  | Question<{ type: 'AVERAGE' }, number | null>;

const session = (device: string) =>
  light(
    device,
    {
      init: () => ({ sum: 0, count: 0 }),
      receive: (state, message: Session, context) => {
        switch (message.type) {
          case 'READING':
            if (message.celsius < -273) throw new Error(`${message.celsius} °C is colder than cold`);
            return { sum: state.sum + message.celsius, count: state.count + 1 };
          case 'AVERAGE':
            message.reply?.(state.count === 0 ? null : state.sum / state.count);
            return state;
          case 'BYE':
            context.finish();
            return state;
        }
      },
    },
    { restart: 'transient', mailbox: { capacity: 16, overflow: 'drop_oldest' } },
  );

const system = createSystem();
await system.start(
  supervisor('devices', { strategy: 'dynamic', intensity: { max: 10, within: 1_000 }, children: [] }),
);
const devices = system.supervisor('devices');

const [stove, fridge] = await Promise.all([
  devices.startChild(session('stove')),
  devices.startChild(session('fridge')),
]);
for (const celsius of [180, 200, 220]) stove.send({ type: 'READING', celsius });
for (const celsius of [4, 6, -300]) fridge.send({ type: 'READING', celsius });

console.log('stove:', await stove.ask({ type: 'AVERAGE' }));
// The fridge's session crashed. The reference was to that incarnation; the path leads to the one that came after it.
console.log('fridge, as it was:', fridge.send({ type: 'READING', celsius: 5 }));
console.log('fridge, by its path:', await system.slot<Session>('devices/fridge').ask({ type: 'AVERAGE' }));

stove.monitor(({ path, reason }) => console.log(`${path} ended: ${reason.kind}`));
stove.send({ type: 'BYE' });
await sleep(system.host, 20);

await Promise.all(Array.from({ length: 1_000 }, (_, n) => devices.startChild(session(`sensor-${n}`))));
console.log('sessions:', devices.count().active);
await system.stop('done');
console.log('letters that reached nobody:', system.deadLetters().count);
