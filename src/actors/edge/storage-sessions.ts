import { MagError } from '../../errors.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { ComponentContext, ComponentService } from '../../runtime/spec.ts';
import type { Engine } from '../storage/engine.ts';
import type { Readmit } from '../storage/readmission.ts';
import { SocketStorageClient, type StorageLeases } from '../storage/storage-process/socket-client.ts';
import type { Lease } from '../storage/storage-process/storage-request.ts';
import { CachedDirectory } from './directory.ts';
import { type CircuitStats, EngineCircuits } from './engine-circuits.ts';
import { SessionCache } from './engine-sessions.ts';
import type { EdgeInput } from './input.ts';
import { permitClients } from './permit-clients.ts';
import type { EngineSessions, ProjectDirectory } from './ports.ts';
import type { Uplink } from './uplink.ts';

/** Projects and their open databases, as this worker's gate and realtime gateway use them. */
export interface StorageSessions {
  readonly directory: ProjectDirectory;
  readonly sessions: EngineSessions;
  /** How calls to the engines' servers fare. */
  circuits(): readonly CircuitStats[];
}

/** The owner answers at the statement's own deadline; this much later it is given up for dead. */
const OWNER_GRACE_MS = 2_000;
/** SQLSTATEs of a server that knows another password for the project's role than the board does, or no such rights. */
const REFUSED: ReadonlySet<string> = new Set(['28P01', '42501', '22023']);
const STORAGE = 'board/storage/owner';

const storageLeases = (uplink: Uplink, owner: string): StorageLeases => ({
  lease: (request) =>
    uplink.ask<Lease>(STORAGE, { type: 'STORAGE_LEASE', owner, request }, request.timeoutMs + OWNER_GRACE_MS),
  release: (id) => uplink.send(STORAGE, { type: 'STORAGE_RELEASE', id }),
  cancel: (id) => uplink.send(STORAGE, { type: 'STORAGE_CANCEL', id }),
});

export function startStorageSessions(context: ComponentContext, input: EdgeInput): ComponentService {
  const { system, host, log } = context;
  const uplink = system.service<Uplink>('uplink');
  const storage = new SocketStorageClient(host, storageLeases(uplink, input.name));
  const permitsOf = permitClients(uplink, input.name, host, OWNER_GRACE_MS);
  const circuits = new EngineCircuits(host, log);
  const refused = new Set<string>();
  const directory = new CachedDirectory((ref) =>
    uplink.request('PROJECT_RESOLVE', refused.delete(ref) ? { ref, refused: true } : { ref }),
  );

  const open = async (project: ProjectHandle): Promise<Engine> => {
    const { connection, ref } = project;
    const permits = permitsOf[connection.engine];
    // The server may come back at another address: the next request asks the catalogue where.
    const onLost = (why: string): void => {
      if (REFUSED.has(why)) refused.add(ref);
      forget(ref);
    };
    const readmit: Readmit = async () =>
      (await uplink.request('PROJECT_RESOLVE', { ref, refused: true })) !== null;
    const parts = { ref, host, log, permits, onLost };
    if (connection.engine === 'sqlite') {
      const { openSqliteEngine } = await import('../storage/sqlite/sqlite-engine.ts');
      return await openSqliteEngine({ file: connection.file, host, log, storage });
    }
    if (connection.engine === 'postgres') {
      const { openPostgresEngine } = await import('../storage/postgres/engine.ts');
      return circuits.guard(openPostgresEngine({ connection, ...parts, readmit }), connection);
    }
    if (connection.engine === 'mongodb') {
      const { openMongodbEngine } = await import('../storage/mongodb/engine.ts');
      return circuits.guard(openMongodbEngine({ connection, ...parts }), connection);
    }
    if (connection.engine === 'mysql') {
      const { openMysqlEngine } = await import('../storage/mysql/engine.ts');
      return circuits.guard(openMysqlEngine({ connection, ...parts, readmit }), connection);
    }
    if (connection.engine === 'redis') {
      const { openRedisEngine } = await import('../storage/redis/engine.ts');
      return circuits.guard(openRedisEngine({ connection, ...parts }), connection);
    }
    throw new MagError('MAG_ENGINE_UNSUPPORTED', {
      engine: project.engine,
      what: 'be served by this version',
    });
  };
  const sessions = new SessionCache(open, log);
  const forget = (ref: string): void => {
    directory.invalidate(ref);
    sessions.close(ref);
  };
  uplink.on('PROJECT_CHANGED', ({ ref }) => forget(String(ref)));
  uplink.on('PROJECTS_UNHEARD', () => {
    for (const ref of directory.invalidateAll()) sessions.close(ref);
  });

  const api: StorageSessions = { directory, sessions, circuits: () => circuits.stats() };
  return {
    api,
    stop: async () => {
      await sessions.closeAll();
      storage.close();
    },
  };
}
