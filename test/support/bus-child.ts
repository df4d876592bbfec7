import { nodeHost } from '../../src/runtime/host-node.ts';
import { openBus } from '../../src/streams/bus/open-bus.ts';

/**
 * Publishes to a durable topic and consumes it until it is killed. Arguments: folder, store, then for each writer the
 * number of its next event. Writes `ack W N` for each event that was acknowledged to its publisher, and `got W N` for
 * each that was delivered, before it is acked.
 */
const [folder = '', store = 'file', ...starts] = process.argv.slice(2);
const fail = (error: unknown): never => {
  throw error;
};
const bus = await openBus(
  { folder, topics: { events: { store: store === 'sqlite' ? 'sqlite' : 'file' } } },
  { host: nodeHost(), onFailed: fail },
);

bus.consume('events', { consumer: 'child', maxInFlight: 8, onEnd: fail }, (event) => {
  const { writer, number } = event as { writer: number; number: number }; // published below
  process.stdout.write(`got ${writer} ${number}\n`);
});

async function write(writer: number, start: number): Promise<void> {
  for (let number = start; ; number += 1) {
    await bus.publish('events', { writer, number, filler: 'x'.repeat(100) }, { id: `${writer}/${number}` });
    process.stdout.write(`ack ${writer} ${number}\n`);
  }
}
await Promise.all(starts.map((start, writer) => write(writer, Number(start))));
