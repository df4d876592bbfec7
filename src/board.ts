import { readFileSync } from 'node:fs';
import { printBanner } from './actors/bios/banner.ts';
import { removeBoardFile, writeBoardFile } from './actors/bios/board-file.ts';
import type { Board, StartBoardOptions } from './actors/bios/board-handle.ts';
import { type Booted, boot } from './actors/bios/boot.ts';
import type { BootComponent } from './actors/bios/boot-plan.ts';
import { logProgress, terminalProgress } from './actors/bios/boot-progress.ts';
import { jsonLogger, type Logger, terminalLogger } from './actors/bios/logger.ts';
import type { Config } from './actors/bios/settings.ts';
import type { Catalogue } from './actors/catalogue/catalogue.ts';
import { admin } from './board/admin.ts';
import { catalogue } from './board/catalogue.ts';
import { edges, mindEdges } from './board/edges.ts';
import { engines } from './board/engines.ts';
import { entryUrl } from './board/entry-url.ts';
import { foundation } from './board/foundation.ts';
import { INTENSITY } from './board/restarts.ts';
import { audit, feed, permits, scope } from './board/services.ts';
import { Shelf } from './board/shelf.ts';
import { followStatus } from './board/status.ts';
import { storage } from './board/storage.ts';
import { recordFailures } from './board/trail.ts';
import { LIMITS } from './limits.ts';
import type { BootStage } from './protocol/board-status.ts';
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
      stop: () => shelf.system.stopChild('board', name),
    }),
  ),
];

const version = (): string => {
  const manifest = new URL(
    entryUrl('package').pathname.endsWith('.ts') ? '../package.json' : '../../package.json',
    import.meta.url,
  );
  return String(JSON.parse(readFileSync(manifest, 'utf8')).version);
};

async function announce(shelf: Shelf): Promise<void> {
  const { config, host, system } = shelf;
  const url = shelf.take('url');
  const startedAt = new Date(host.wallTime()).toISOString();
  writeBoardFile(config.dataDir, {
    url,
    host: config.host,
    port: shelf.take('port'),
    pid: process.pid,
    startedAt,
  });
  const projects = system.service<Catalogue>('catalogue');
  const available = (await projects.engines()).filter((engine) => engine.available);
  printBanner(
    {
      version: version(),
      url,
      dataDir: config.dataDir,
      ticket: shelf.take('sessions').issueTicket(),
      adminKey: shelf.take('adminKey').generated,
      demo: await projects.ensureDemo(),
      slots: available.map(({ engine, provider }) => [engine, provider ?? '']),
    },
    process,
  );
}

/** Stops everything in reverse, then says so; the lock goes last, with the data folder's own component. */
async function stopBoard(booted: Booted, shelf: Shelf, logger: Logger, reason: string): Promise<void> {
  shelf.log.info({ reason }, 'the board stops');
  booted.drain();
  // While the lock is still ours: afterwards the file may be another board's.
  removeBoardFile(shelf.config.dataDir);
  await booted.stop();
  shelf.log.info({}, 'the board has stopped');
  logger.flush();
}

/** Follows what the parts' lives mean for the whole: the board's status, and what a dead edge worker held. */
function watch(system: ActorSystem, shelf: Shelf): void {
  recordFailures(system, shelf.log);
  mindEdges(system);
  const names = new Map(Object.keys(SLOTS).map((name) => [`board/${name}`, name]));
  followStatus(system, shelf.take('state'), names);
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
  const logger = interactive ? terminalLogger(config.logLevel, write) : jsonLogger(config.logLevel);
  const { log } = logger;
  const failure = Promise.withResolvers<unknown>();
  const system = createSystem({
    node: 'main',
    host,
    log,
    pid: process.pid,
    onRootFailure: (_path, error) => failure.resolve(error),
  });
  const shelf = new Shelf({ config, host, log, system });
  const booted = await boot(components(shelf), {
    host,
    log,
    signal,
    progress: interactive ? terminalProgress(write) : logProgress(log),
    onState: (state) => {
      shelf.put('state', state);
      watch(system, shelf);
    },
  }).catch((error: unknown) => {
    logger.flush();
    throw error;
  });
  await announce(shelf).catch(async (error: unknown) => {
    await booted.stop();
    throw error;
  });
  saveModuleCache();
  let stopping: Promise<void> | null = null;
  return {
    url: shelf.take('url'),
    failed: failure.promise,
    stop: (reason) => {
      stopping ??= stopBoard(booted, shelf, logger, reason);
      return stopping;
    },
  };
}
