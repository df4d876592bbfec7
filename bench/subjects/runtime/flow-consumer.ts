/** The worker thread that a flow is sent to: adds up what comes. For each port it is given, answers with the sum. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { receiveFlow, receiveRecords } from '../../../src/index.ts';
import { recordId, type Tick } from '../../traffic.ts';

/** Items granted ahead: as many as the hand-written sender of the other suites has on its way. */
const WINDOW = 4_096;

export interface Job {
  readonly port: MessagePort;
  readonly kind: 'objects' | 'binary';
}

parentPort?.on('message', ({ port, kind }: Job) => {
  let sum = 0;
  const signals = {
    error: (error: unknown) => {
      throw error;
    },
    complete: () => parentPort?.postMessage(sum),
  };
  const demand = { request: Number.POSITIVE_INFINITY };
  if (kind === 'objects') {
    const next = (item: Tick): void => {
      sum += item.id;
    };
    receiveFlow<Tick>(port, { window: WINDOW }).subscribe({ ...signals, next }, demand);
    return;
  }
  receiveRecords(port, { window: WINDOW }).subscribe(
    {
      ...signals,
      next: (batch) => {
        for (let place = 0; place < batch.length; place += 1)
          sum += recordId(batch.bytes, batch.start(place));
      },
    },
    demand,
  );
});
