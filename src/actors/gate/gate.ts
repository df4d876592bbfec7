import type { Server } from 'node:http';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { AdminAuth } from './admin-auth.ts';
import { adminRoutes } from './admin-routes.ts';
import { authRoutes } from './auth-routes.ts';
import { boardRoutes } from './board-routes.ts';
import { type Broadcast, broadcastRoutes } from './broadcast-routes.ts';
import { descriptionRoutes } from './description-routes.ts';
import { type App, createApp, observe, parseJsonBodies } from './fastify-app.ts';
import { GateMetrics, type GateStats } from './gate-metrics.ts';
import { NO_HOOKS, type StageHooks } from './hooks.ts';
import { createHttpServer } from './http-server.ts';
import { Once } from './idempotency/once.ts';
import { optionsRoutes } from './options-routes.ts';
import { projectRoutes } from './project-routes.ts';
import { ProjectTurns, type TurnStats } from './project-turns.ts';
import { ReplyBudget } from './reply-budget.ts';
import { requestIds } from './request-id.ts';
import { readLane } from './rest-lane.ts';
import { restRoutes } from './rest-routes.ts';
import { RestService } from './rest-service.ts';
import { sessionRoutes } from './session-routes.ts';
import { SocketGuard } from './socket-guard.ts';
import { StaticFiles } from './static-files.ts';
import { transactionRoutes } from './transaction/routes.ts';
import { type UpgradeHandler, Upgrades } from './upgrades.ts';

export interface GateOptions {
  /** How many edge workers share the socket limits. Default 1. */
  readonly edges?: number;
  /** The built console; null or missing on disk: a plain page. */
  readonly uiDirectory?: string | null;
  /** `REF.DOMAIN` names a project by host; absent: the first label of any host name does. */
  readonly domain?: string;
  readonly hooks?: Partial<StageHooks>;
  /** How long drain() waits for requests in flight, seconds. Default LIMITS.drainSeconds. */
  readonly drainSeconds?: number;
}

interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly reusePort: boolean;
}

/** The HTTP door of one edge worker. */
export interface Gate {
  readonly server: Server;
  /** Throws MAG_PORT_IN_USE. */
  listen(options: ListenOptions): Promise<{ readonly port: number }>;
  /**
   * Hands upgrades to `handler`: `/realtime/v1/websocket` under every project, `/admin/v1/scope` on the board, which
   * the gate authenticates first.
   */
  onUpgrade(path: string, handler: UpgradeHandler): void;
  /** Where broadcasts sent over HTTP go. */
  onBroadcast(handler: Broadcast): void;
  /** Stops accepting, finishes what is in flight within the bound, then closes. Idempotent. */
  drain(): Promise<void>;
  /** Cuts every socket. Idempotent. */
  close(): Promise<void>;
  stats(): GateStats;
}

interface Doors {
  readonly app: App;
  readonly upgrades: Upgrades;
  readonly guard: SocketGuard;
  readonly metrics: GateMetrics;
  readonly auth: AdminAuth;
  readonly turns: () => TurnStats;
  broadcast: Broadcast | null;
  draining: boolean;
}

async function build(ports: EdgePorts, options: GateOptions): Promise<Doors> {
  const metrics = new GateMetrics();
  const guard = new SocketGuard(metrics, options.edges ?? 1, () => ports.host.now());
  const upgrades = new Upgrades();
  const auth = new AdminAuth(ports);
  const files = await StaticFiles.read(options.uiDirectory ?? null);
  const draining = (): boolean => doors.draining;
  const nextId = requestIds(ports.host);
  const budget = new ReplyBudget();
  const hooks = { ...NO_HOOKS, ...options.hooks };
  const once = new Once(ports.host);
  let turns: ProjectTurns | null = null;
  const rest = new RestService({
    ports,
    hooks,
    metrics,
    budget,
    once,
    draining,
  });
  const app = createApp(ports, metrics, nextId, (listener) =>
    createHttpServer(listener, {
      ports,
      guard,
      upgrades,
      metrics,
      domain: options.domain,
      draining,
      nextId,
      turns: (begin) => {
        turns = new ProjectTurns(ports.host, begin);
        return turns;
      },
      lane: readLane(rest, nextId),
    }),
  );
  const doors: Doors = {
    ...{ app, upgrades, guard, metrics, auth },
    turns: () => turns?.stats() ?? { waiting: 0, waited: 0, refused: 0 },
    broadcast: null,
    draining: false,
  };
  restRoutes(app, rest);
  app.register(async (scope: App) => {
    observe(scope, metrics, draining);
    parseJsonBodies(scope);
    boardRoutes(scope, ports, files);
    projectRoutes(scope, ports, budget, once);
    descriptionRoutes(scope, ports, budget);
    optionsRoutes(scope, ports);
    authRoutes(scope, ports);
    transactionRoutes(scope, { ports, hooks, budget, once });
    broadcastRoutes(scope, ports, () => doors.broadcast);
    scope.register(async (admin: App) => sessionRoutes(admin, ports), { prefix: '/admin/v1' });
    scope.register(async (admin: App) => adminRoutes(admin, ports, auth), { prefix: '/admin/v1' });
  });
  await app.ready();
  return doors;
}

function listen(server: Server, { host, port, reusePort }: ListenOptions): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const taken = Reflect.get(cause, 'code') === 'EADDRINUSE';
      reject(taken ? new MagError('MAG_PORT_IN_USE', { host, port }, { cause }) : cause);
    });
    server.listen({ host, port, reusePort, backlog: LIMITS.backlog }, () => {
      // A thread that ends takes a while, and would be sent connections all that time: the others are to have them.
      // First of all listeners, since those of the runtime let it rest.
      const leave = (): void => void server.close();
      process.prependListener('exit', leave);
      server.once('close', () => process.off('exit', leave));
      const address = server.address();
      resolve({ port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}

/** `/admin/v1/scope` is the operator's: checked here, so that its handler need not know how. */
function guarded(handler: UpgradeHandler, auth: AdminAuth): UpgradeHandler {
  return async (request, socket, head, route) => {
    const token = new URLSearchParams(route.search).get('access_token') ?? undefined;
    await auth.require(request.headers, token);
    return handler(request, socket, head, route);
  };
}

/**
 * Ends the server once what is in flight is done, or after `seconds`. A request that is still arriving gets less: one
 * that never arrives whole would use up the time of all others.
 */
function finish(ports: EdgePorts, doors: Doors, seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const { server } = doors.app;
    const arriving = ports.host.setTimer(Math.min(seconds * 1_000, LIMITS.socketCloseMs), () =>
      doors.guard.destroyHalfOpen(),
    );
    const cut = ports.host.setTimer(seconds * 1_000, () => doors.guard.destroyAll());
    server.close(() => {
      ports.host.clearTimer(arriving);
      ports.host.clearTimer(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** Builds the gate of one edge worker. Nothing listens until `listen`. */
export async function buildGate(ports: EdgePorts, options: GateOptions = {}): Promise<Gate> {
  const doors = await build(ports, options);
  const { app, guard, metrics } = doors;
  const started = ports.host.now();
  let ending: Promise<void> | null = null;
  const end = (seconds: number): Promise<void> => {
    doors.draining = true;
    ending ??= finish(ports, doors, seconds).then(() => app.close());
    return ending;
  };
  return {
    server: app.server,
    listen: (listenOptions) => listen(app.server, listenOptions),
    onUpgrade: (path, handler) => {
      doors.upgrades.register(path, path.startsWith('/admin/') ? guarded(handler, doors.auth) : handler);
    },
    onBroadcast: (handler) => {
      doors.broadcast = handler;
    },
    drain: () => end(options.drainSeconds ?? LIMITS.drainSeconds),
    close: () => {
      const ended = end(0);
      guard.destroyAll();
      return ended;
    },
    stats: () =>
      metrics.read({
        sockets: guard.sockets,
        halfOpen: guard.halfOpen,
        turns: doors.turns(),
        uptimeSeconds: (ports.host.now() - started) / 1_000,
      }),
  };
}
