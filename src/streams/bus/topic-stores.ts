import { join } from 'node:path';
import { BUS_LIMITS } from '../../limits-bus.ts';
import type { LogFiles } from '../log/files.ts';
import type { Log, LogHost } from '../log/log.ts';
import { openFileLog } from '../log/log-file.ts';
import { openMemoryLog } from '../log/log-memory.ts';
import { openSqliteLog } from '../log/log-sqlite.ts';
import type { TopicOptions } from './bus.ts';

export interface StorePlace {
  readonly host: LogHost;
  /** The topic's own folder; not touched for a topic in memory. */
  readonly folder: string;
  readonly store: 'file' | 'sqlite' | 'memory';
  readonly files?: LogFiles;
  readonly onFailed: (error: Error) => void;
}

export const retentionOf = ({ store, retention }: TopicOptions): { bytes: number; ageMs?: number } => ({
  bytes: store === 'memory' ? BUS_LIMITS.busMemoryBytes : BUS_LIMITS.busTopicBytes,
  ...retention,
});

/** The log of a topic's events. Its segments are a fraction of what is kept, because they are removed whole. */
export function openEvents(place: StorePlace, options: TopicOptions): Promise<Log> {
  const { bytes, ageMs } = retentionOf(options);
  const segmentBytes = Math.max(BUS_LIMITS.logZeroBytes, Math.min(BUS_LIMITS.logSegmentBytes, bytes / 4));
  return openStore(place, 'events', {
    segmentBytes,
    ...(ageMs === undefined ? {} : { segmentMs: ageMs / 4 }),
  });
}

/** The log of a topic's consumers. */
export function openConsumers(place: StorePlace): Promise<Log> {
  return openStore(place, 'consumers', { segmentBytes: BUS_LIMITS.busCheckpointBytes });
}

async function openStore(
  { host, folder, store, files, onFailed }: StorePlace,
  name: string,
  segments: { readonly segmentBytes: number; readonly segmentMs?: number },
): Promise<Log> {
  if (store === 'memory') return openMemoryLog({ host });
  if (store === 'sqlite') return openSqliteLog({ host, path: join(folder, `${name}.db`), onFailed });
  return openFileLog({
    host,
    folder: join(folder, name),
    onFailed,
    ...segments,
    ...(files === undefined ? {} : { files }),
  });
}
