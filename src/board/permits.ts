import type { EngineProvider } from '../actors/storage/engine.ts';
import type { PermitReport } from '../actors/storage/permit-client.ts';
import { PermitOwner } from '../actors/storage/permit-owner.ts';
import { describeError, MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { POOL_LIMITS } from '../limits-pools.ts';
import { ENGINE_KINDS, type EngineKind } from '../protocol/project.ts';
import type { ChildSpec, ComponentContext, ComponentService, Message } from '../runtime/spec.ts';
import { component } from '../runtime/specs.ts';
import { EDGES, edgeMounts, edgeName } from './edge-news.ts';
import { BACKOFF } from './restarts.ts';
import type { Shelf } from './shelf.ts';

/** How long a restarted owner waits for what an edge worker says it holds: one that hangs holds up nobody else. */
const REPORT_MS = 1_000;

/** What an edge worker's permit clients report, by engine (edge/permit-clients.ts). */
interface Reports {
  readonly tag: string;
  readonly engines: Readonly<Partial<Record<EngineKind, PermitReport>>>;
}

export type PermitOwners = ReadonlyMap<EngineKind, PermitOwner>;

function makeOwner(
  { system, host }: ComponentContext,
  engine: EngineKind,
  perKey: number,
  isForeign: boolean,
): PermitOwner {
  const uplink = (edge: string) => system.slot(`${EDGES}${edge}/uplink`);
  return new PermitOwner({
    host,
    perKey,
    total: isForeign ? POOL_LIMITS.externalConnections : POOL_LIMITS.serverConnections[engine],
    waiters: LIMITS.poolWaiters,
    holders: {
      idle: async (edge, wanted) => {
        const ask = { type: 'PERMITS_IDLE', engine, wanted };
        // A worker that hangs has nothing to give, and holds up nobody else.
        return uplink(edge)
          .ask<readonly number[]>(ask, { timeout: POOL_LIMITS.lookMs })
          .catch(() => []);
      },
      take: (edge, count) => uplink(edge).send({ type: 'PERMITS_TAKE', engine, count }),
      recall: (edge, key, urgency, wanted) =>
        uplink(edge).send({ type: 'PERMIT_RECALL', engine, key, urgency, wanted }),
    },
  });
}

/** Where these owners come after crashed ones, the workers still hold what those gave them. */
async function adoptHeld(
  { system, log }: ComponentContext,
  owners: PermitOwners,
): Promise<ReadonlyMap<string, Reports>> {
  const reports = new Map<string, Reports>();
  const ask = async (mount: string): Promise<void> => {
    const edge = edgeName(mount);
    try {
      const report = await system
        .slot(`${mount}/uplink`)
        .ask<Reports>({ type: 'PERMITS_HELD' }, { timeout: REPORT_MS });
      for (const [engine, owner] of owners)
        for (const [key, count] of Object.entries(report.engines[engine]?.held ?? {}))
          owner.adopt(edge, key, count);
      reports.set(edge, report);
    } catch (error) {
      log.warn({ edge, error: describeError(error) }, 'an edge worker did not say which permits it holds');
    }
  };
  await Promise.all(edgeMounts(system).map(ask));
  return reports;
}

/** Engines whose server is not the board's own. */
const external = ({ config }: Shelf): ReadonlySet<EngineKind> => {
  const urls = {
    postgres: config.postgresUrl,
    mysql: config.mysqlUrl,
    mongodb: config.mongodbUrl,
    redis: config.redisUrl,
    sqlite: null,
  };
  return new Set(ENGINE_KINDS.filter((engine) => urls[engine] !== null));
};

/** Asks servers that are not ours how many connections they take, once somebody wants one. */
class Ceilings {
  readonly #context: ComponentContext;
  readonly #owners: PermitOwners;
  readonly #unknown: Set<EngineKind>;

  constructor(context: ComponentContext, owners: PermitOwners, unknown: ReadonlySet<EngineKind>) {
    this.#context = context;
    this.#owners = owners;
    this.#unknown = new Set(unknown);
  }

  /** Never rejects: a server that does not say keeps the number that it began with. */
  async ask(engine: EngineKind): Promise<void> {
    if (!this.#unknown.delete(engine)) return;
    const { system, log } = this.#context;
    try {
      const there = await system.service<EngineProvider>(engine).connections?.();
      if (there === undefined || !Number.isFinite(there)) return;
      const share = Math.max(1, Math.floor(there * POOL_LIMITS.externalShare));
      this.#owners.get(engine)?.limit(Math.min(POOL_LIMITS.serverConnections[engine], share));
    } catch (error) {
      log.debug(
        { engine, error: describeError(error) },
        'a server did not say how many connections it takes',
      );
    }
  }
}

async function startPermits(context: ComponentContext, shelf: Shelf): Promise<ComponentService> {
  const foreign = external(shelf);
  const owners: PermitOwners = new Map(
    ENGINE_KINDS.map((engine) => [
      engine,
      makeOwner(context, engine, shelf.config.projectConnections, foreign.has(engine)),
    ]),
  );
  const ceilings = new Ceilings(context, owners, foreign);
  const reports = await adoptHeld(context, owners);
  const release = (owner: PermitOwner, edge: string, { engine, key, count, tag, serial }: Message): void => {
    const report = reports.get(edge);
    // It was on its way when the report was made, which takes it into account.
    const reported = report?.engines[engine as EngineKind]?.serial ?? 0; // an engine's name, as below
    if (report?.tag === tag && Number(serial) <= reported) return;
    owner.release(edge, String(key), Number(count));
  };
  return {
    api: owners,
    handle: (message) => {
      const edge = String(message.owner);
      if (message.type === 'EDGE_GONE') {
        for (const each of owners.values()) each.releaseOwner(edge);
        return;
      }
      const owner = owners.get(message.engine as EngineKind); // Whatever it is, another one is no key.
      if (owner !== undefined && message.type === 'PERMIT_LEASE') {
        void ceilings.ask(message.engine as EngineKind); // It has an owner.
        return owner.lease(edge, String(message.key), Number(message.wanted), Number(message.waitMs));
      }
      if (owner !== undefined && message.type === 'PERMIT_RELEASE') return release(owner, edge, message);
      throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `board/permits for ${message.type}` });
    },
  };
}

/** One owner for each engine of the server connections that all edge workers share. */
export const permits = (shelf: Shelf): ChildSpec =>
  component('permits', (context) => startPermits(context, shelf), { backoff: BACKOFF });
