import { type MessagePort, workerData } from 'node:worker_threads';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { map } from '../../src/streams/flow-operators.ts';
import { sendFlow } from '../../src/streams/link-port.ts';
import { counting } from './flow-subjects.ts';

interface Order {
  readonly port: MessagePort;
  readonly count: number;
  readonly kind: 'items' | 'records';
}

const { port, count, kind } = workerData as Order;
const numbers = counting(count);
const record = (n: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
};
if (kind === 'items') sendFlow(nodeHost(), numbers, port);
else sendFlow(nodeHost(), numbers.pipe(map(record)), port);
