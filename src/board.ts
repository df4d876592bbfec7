import { printBanner } from './actors/bios/banner.ts';
import { removeBoardFile, writeBoardFile } from './actors/bios/board-file.ts';
import type { Board, StartBoardOptions } from './actors/bios/board-handle.ts';
import { type Booted, boot } from './actors/bios/boot.ts';
import type { BootComponent } from './actors/bios/boot-plan.ts';
import { logProgress, terminalProgress } from './actors/bios/boot-progress.ts';
import type { BoardState } from './actors/bios/boot-status.ts';
import { catchCrashes } from './actors/bios/crashes.ts';
import { jsonLogger, type Logger, terminalLogger } from './actors/bios/logger.ts';
import type { Config } from './actors/bios/settings.ts';
import type { Catalogue } from './actors/catalogue/catalogue.ts';
import { admin } from './board/admin.ts';
import { catalogue } from './board/catalogue.ts';
import { EdgeNews } from './board/edge-news.ts';
import { edges, mindEdges } from './board/edges.ts';
import { engines } from './board/engines.ts';
import { diagnosis } from './board/external-server.ts';
import { foundation } from './board/foundation.ts';
import { permits } from './board/permits.ts';
import { INTENSITY } from './board/restarts.ts';
import { audit, feed, scope } from './board/services.ts';
import { Shelf } from './board/shelf.ts';
import { SlotHealth } from './board/status.ts';
import { storage } from './board/storage.ts';
import { recordFailures } from './board/trail.ts';
import { version } from './board/version.ts';
import { MagError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { BootStage } from './protocol/board-status.ts';
import type { EngineKind } from './protocol/project.ts';
import { createSystem } from './runtime/create-system.ts';
import { nodeHost } from './runtime/host-node.ts';
import { saveModuleCache } from './runtime/module-cache.ts';
import type { ChildSpec } from './runtime/spec.ts';
import { supervisor } from './runtime/specs.ts';
import type { ActorSystem } from './runtime/system.ts';

/** Which component sits in which slot: its place in the tree, the stage it boots in, what it stands on. */
interface Slot {
  readonly stage: BootStage;
  readonly requires: readonly string[];
  readonly optional?: boolean;
  readonly spec: (shelf: Shelf) => ChildSpec;
}

const SLOTS: Readonly<Record<string, Slot>> = {
  audit: { stage: 'security', requires: ['secrets', 'supervisor'], spec: audit },
  permits: { stage: 'registry', requires: ['supervisor'], spec: permits },
  scope: { stage: 'registry', requires: ['supervisor'], spec: scope },
  engines: { stage: 'storage', requires: ['secrets', 'survivors', 'supervisor'], spec: engines },
  storage: { stage: 'storage', requires: ['supervisor'], spec: storage },
  catalogue: { stage: 'storage', requires: ['audit', 'engines', 'machine'], spec: catalogue },
  feed: { stage: 'storage', requires: ['catalogue'], optional: true, spec: feed },
  admin: { stage: 'control_plane', requires: ['audit', 'catalogue'], spec: admin },
  edges: { stage: 'control_plane', requires: ['admin', 'permits', 'scope', 'storage'], spec: edges },
};

/** One that did not come up, or whose root gave up, is not there to be stopped. */
async function stopSlot(system: ActorSystem, name: string): Promise<void> {
  try {
    await system.stopChild('board', name);
  } catch (error) {
    if (!(error instanceof MagError && error.code === 'MAG_ACTOR_NOT_FOUND')) throw error;
  }
}

/** The root of the tree. Its children come one by one, as the boot stages reach them. */
const root = (shelf: Shelf): BootComponent => ({
  name: 'supervisor',
  stage: 'security',
  requires: [],
  optional: false,
  deadlineMs: LIMITS.bootStageMs,
  start: async () => {
    await shelf.system.start(supervisor('board', { intensity: INTENSITY, children: [] }));
  },
  stop: () => shelf.system.stop('the board stops'),
});

const components = (shelf: Shelf): readonly BootComponent[] => [
  ...foundation(shelf),
  root(shelf),
  ...Object.entries(SLOTS).map(
    ([name, { stage, requires, optional = false, spec }]): BootComponent => ({
      name,
      stage,
      requires,
      optional,
      deadlineMs: LIMITS.bootStageMs,
      stopMs: LIMITS.shutdownMs + shelf.config.drainSeconds * 1_000,
      start: async () => {
        await shelf.system.startChild('board', spec(shelf));
      },
      stop: () => stopSlot(shelf.system, name),
    }),
  ),
];

async function announce(shelf: Shelf): Promise<void> {
  const { config, host, system } = shelf;
  const url = shelf.take('url');
  const projects = system.service<Catalogue>('catalogue');
  const engines = await projects.engines();
  const configured = (kind: EngineKind): boolean => kind !== 'sqlite' && config[`${kind}Url`] !== null;
  const demo = await projects.ensureDemo();
  const startedAt = new Date(host.wallTime()).toISOString();
  const port = shelf.take('port');
  writeBoardFile(config.dataDir, { url, host: config.host, port, pid: process.pid, startedAt });
  printBanner(
    {
      version: version(),
      url,
      dataDir: config.dataDir,
      ticket: shelf.take('sessions').issueTicket(),
      adminKey: shelf.take('adminKey').generated,
      demo,
      slots: engines
        .filter(({ engine, available }) => available || configured(engine))
        .map((each) => [
          each.engine,
          each.available ? (each.provider ?? '') : `CANNOT BE USED: ${diagnosis(each)}`,
        ]),
    },
    process,
  );
}

/** Stops everything in reverse, then says so; the lock goes last, with the data folder's own component. */
async function stopBoard(booted: Booted, shelf: Shelf, logger: Logger, reason: string): Promise<void> {
  shelf.log.info({ reason }, 'the board stops');
  booted.drain();
  shelf.take('news').stop();
  // While the lock is still ours: afterwards the file may be another board's.
  removeBoardFile(shelf.config.dataDir);
  await booted.stop();
  shelf.log.info({}, 'the board has stopped');
  await logger.flush();
}

/** Follows what the parts' lives mean for the whole: the board's status, and what a dead edge worker held. */
function watch(system: ActorSystem, shelf: Shelf, state: BoardState): void {
  recordFailures(system, shelf.log);
  const health = new SlotHealth(state, new Map(Object.keys(SLOTS).map((name) => [`board/${name}`, name])));
  const news = new EdgeNews({ system, host: shelf.host, status: () => state.status() });
  shelf.put('state', state);
  shelf.put('health', health);
  shelf.put('news', news);
  health.follow(system);
  mindEdges(system, news);
  state.subscribe(() => news.tellStatus());
}

/**
 * Boots a board. Rejects with MAG_BOOT_FAILED (stage, component, cause, hint) after what was started has been
 * stopped again.
 */
export async function startBoard(config: Config, { signal, interactive }: StartBoardOptions): Promise<Board> {
  const host = nodeHost();
  const write = (text: string): void => {
    process.stdout.write(text);
  };
  const logger = interactive ? terminalLogger(config.logLevel, write) : jsonLogger(config.logLevel, host);
  const { log } = logger;
  const failure = Promise.withResolvers<unknown>();
  const crash = new AbortController();
  const fail = (error: unknown): void => {
    crash.abort(error);
    failure.resolve(error);
  };
  const ignoreCrashes = catchCrashes(log, fail);
  const system = createSystem({
    node: 'main',
    host,
    log,
    pid: process.pid,
    onRootFailure: (_path, error) => fail(error),
  });
  const shelf = new Shelf({ config, host, log, system });
  const booted = await boot(components(shelf), {
    host,
    log,
    signal: AbortSignal.any([signal, crash.signal]),
    progress: interactive ? terminalProgress(write) : logProgress(log),
    onState: (state) => watch(system, shelf, state),
  }).catch(async (error: unknown) => {
    await logger.flush();
    ignoreCrashes();
    throw error;
  });
  let stopping: Promise<void> | null = null;
  const stop = (reason: string): Promise<void> => {
    stopping ??= stopBoard(booted, shelf, logger, reason).finally(ignoreCrashes);
    return stopping;
  };
  await announce(shelf).catch(async (error: unknown) => {
    await stop('it could not be announced');
    throw error;
  });
  saveModuleCache();
  return { url: shelf.take('url'), failed: failure.promise, stop };
}
