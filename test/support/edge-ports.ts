import { hash } from 'node:crypto';
import type { EdgePorts, RelayMessage } from '../../src/actors/edge/ports.ts';
import type { FeedClient } from '../../src/actors/feed/feed-log.ts';
import type { Engine, TableInfo } from '../../src/actors/storage/engine.ts';
import type { Grant } from '../../src/protocol/principal.ts';
import type { ProjectHandle } from '../../src/protocol/project.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

export const ANON_KEY = 'mag_anon_test';
export const SERVICE_KEY = 'mag_service_test';

export function projectHandle(ref: string, grants: readonly Grant[] = [], version = 1): ProjectHandle {
  return {
    ref,
    name: ref,
    engine: 'sqlite',
    status: 'ready',
    keyVersion: version,
    settings: { grants },
    createdAt: '2026-11-23T00:00:00.000Z',
    version,
    connection: { engine: 'sqlite', file: ':memory:' },
    keyDigests: { anon: hash('sha256', ANON_KEY), service: hash('sha256', SERVICE_KEY) },
  };
}

export function table(name: string, columns: readonly string[], schema = 'public'): TableInfo {
  return {
    schema,
    name,
    kind: 'table',
    columns: columns.map((column, index) => ({
      name: column,
      type: 'text',
      nullable: true,
      hasDefault: false,
      primaryKey: index === 0 ? 1 : 0,
    })),
    unique: [columns.slice(0, 1)],
  };
}

/** The part of an engine that realtime asks: which tables there are. */
function schemaOnly(tables: readonly TableInfo[]): Engine {
  const refuse = async (): Promise<never> => {
    throw new Error('this engine only knows its schema');
  };
  return {
    kind: 'sqlite',
    execute: refuse,
    sql: refuse,
    schema: async () => ({ version: '1', tables: new Map(tables.map((found) => [found.name, found])) }),
    close: async () => {},
  };
}

function deliver(listeners: readonly ((message: RelayMessage) => void)[], message: RelayMessage): void {
  for (const listener of listeners) listener(message);
}

/** What connects the gateways of one test, as the edge workers' links do. */
export class MemoryRelay {
  readonly #listeners = new Map<object, ((message: RelayMessage) => void)[]>();

  port(): EdgePorts['relay'] {
    const own: ((message: RelayMessage) => void)[] = [];
    this.#listeners.set(own, own);
    return {
      publish: (message) => {
        const carried: RelayMessage = structuredClone(message);
        for (const [owner, listeners] of this.#listeners) {
          if (owner !== own) setImmediate(() => deliver(listeners, carried));
        }
      },
      onMessage: (listener) => void own.push(listener),
    };
  }
}

export interface MemoryPorts extends EdgePorts {
  /** Null: dropped. */
  setProject(ref: string, handle: ProjectHandle | null): void;
}

/** Ports of one edge worker over memory: projects, a schema, a feed, and a relay to the test's other gateways. */
export function memoryPorts(options: {
  readonly projects: readonly ProjectHandle[];
  readonly feed: FeedClient;
  readonly tables?: readonly TableInfo[];
  readonly relay?: MemoryRelay;
  readonly host?: Host;
}): MemoryPorts {
  const projects = new Map(options.projects.map((project) => [project.ref, project]));
  const listeners = new Set<(ref: string) => void>();
  const engine = schemaOnly(options.tables ?? []);
  return {
    host: options.host ?? nodeHost(),
    log: silentLog,
    name: 'edge-1',
    admin: {
      request: async () => {
        throw new Error('no main thread in this test');
      },
    },
    directory: {
      find: (ref) => projects.get(ref) ?? null,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    sessions: { open: () => engine },
    feed: options.feed,
    status: () => ({ status: 'ready', stage: 'ready', components: [] }),
    scope: () => () => {},
    relay: (options.relay ?? new MemoryRelay()).port(),
    setProject: (ref, handle) => {
      if (handle === null) projects.delete(ref);
      else projects.set(ref, handle);
      for (const listener of listeners) listener(ref);
    },
  };
}
