import { afterAll } from 'vitest';
import type { Flow } from '../../src/streams/flow.ts';
import { map } from '../../src/streams/flow-operators.ts';
import { receiveFlow, receiveRecords, sendFlow } from '../../src/streams/link-port.ts';
import { host, type LinkKind, type LinkPair, portLinks, webSocketLinks } from '../support/flow-links.ts';
import { cancelTold, counting, failing } from '../support/flow-subjects.ts';
import { tck } from '../support/flow-tck.ts';

const kinds: readonly LinkKind[] = [portLinks(), webSocketLinks()];

async function over<T>(
  kind: LinkKind,
  source: Flow<unknown>,
  receive: (pair: LinkPair) => Flow<T>,
): Promise<Flow<T>> {
  const pair = await kind.open();
  sendFlow(host, source, pair.sender);
  return receive(pair);
}

for (const kind of kinds) {
  for (const window of [1, 5, 64]) {
    const receive = ({ receiver }: LinkPair): Flow<unknown> => receiveFlow(receiver, { window });
    tck(`a flow over ${kind.name} with a window of ${window}`, {
      make: (count) => over(kind, counting(count), receive),
      fail: (count, error) => over(kind, failing(count, error), receive),
      cancellable: (onCancel) => over(kind, cancelTold(onCancel), receive),
      isUnicast: true,
      isAsync: true,
    });
  }

  const bytes = (source: Flow<number>): Flow<Uint8Array> => source.pipe(map((n) => new Uint8Array([n])));
  const batches = ({ receiver }: LinkPair): Flow<unknown> => receiveRecords(receiver, { window: 1 });
  tck(`records by the batch over ${kind.name}`, {
    make: (count) => over(kind, bytes(counting(count)), batches),
    fail: (count, error) => over(kind, bytes(failing(count, error)), batches),
    cancellable: (onCancel) => over(kind, bytes(cancelTold(onCancel)), batches),
    isUnicast: true,
    isAsync: true,
  });
}

afterAll(async () => {
  for (const kind of kinds) await kind.close();
});
