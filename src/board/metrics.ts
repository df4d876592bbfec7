import type { AuditLog } from '../actors/audit/audit-log.ts';
import type { CircuitStats } from '../actors/edge/engine-circuits.ts';
import { type GateStats, LATENCY_BUCKETS, ROUTE_CLASSES } from '../actors/gate/gate-metrics.ts';
import type { RealtimeStats } from '../actors/realtime/gateway.ts';
import { describeError } from '../errors.ts';
import type { ActorNode } from '../protocol/actor-node.ts';
import { type HistogramSample, type Metric, renderPrometheus, type Sample } from '../protocol/metrics.ts';
import type { ComponentContext } from '../runtime/spec.ts';
import type { PermitOwners } from './permits.ts';
import type { Shelf } from './shelf.ts';

interface EdgeStats {
  readonly edge: string;
  readonly gate: GateStats;
  readonly realtime: RealtimeStats;
  readonly circuits: readonly CircuitStats[];
}

const ASK_MS = 1_000;

/** Figures of every edge worker that answers in time; one that does not is missing, and the log says so. */
async function edgeStats({ system, log }: ComponentContext): Promise<readonly EdgeStats[]> {
  const mounts = system.mounts().filter((mount) => mount.startsWith('board/edges/'));
  const replies = await Promise.all(
    mounts.map(async (mount) => {
      try {
        const stats = await system
          .slot(`${mount}/uplink`)
          .ask<Omit<EdgeStats, 'edge'>>({ type: 'EDGE_STATS' }, { timeout: ASK_MS });
        return { edge: mount.slice(mount.lastIndexOf('/') + 1), ...stats };
      } catch (error) {
        log.debug({ mount, error: describeError(error) }, 'an edge worker gave no figures');
        return null;
      }
    }),
  );
  return replies.filter((reply) => reply !== null);
}

function gateMetrics(edges: readonly EdgeStats[]): readonly Metric[] {
  const replies: Sample[] = [];
  const latencies: HistogramSample[] = [];
  for (const { edge, gate } of edges) {
    for (const route of ROUTE_CLASSES) {
      const { statuses, buckets, seconds } = gate.routes[route];
      statuses.forEach((value, hundreds) => {
        if (value > 0) replies.push({ labels: { edge, route, status: `${hundreds}xx` }, value });
      });
      if (buckets.some((count) => count > 0))
        latencies.push({ labels: { edge, route }, buckets, sum: seconds });
    }
  }
  const each = (read: (gate: GateStats) => number): readonly Sample[] =>
    edges.map(({ edge, gate }) => ({ labels: { edge }, value: read(gate) }));
  return [
    {
      name: 'mag_http_replies_total',
      help: 'Replies by route class and status class.',
      type: 'counter',
      samples: replies,
    },
    {
      name: 'mag_http_seconds',
      help: 'Time from request to reply.',
      type: 'histogram',
      bounds: LATENCY_BUCKETS,
      samples: latencies,
    },
    { name: 'mag_sockets', help: 'Open sockets.', type: 'gauge', samples: each((gate) => gate.sockets) },
    {
      name: 'mag_half_open_sockets',
      help: 'Sockets that have not sent a whole request yet.',
      type: 'gauge',
      samples: each((gate) => gate.halfOpen),
    },
    {
      name: 'mag_half_open_evicted_total',
      help: 'Half-open sockets that gave way to newer ones.',
      type: 'counter',
      samples: each((gate) => gate.halfOpenEvicted),
    },
    {
      name: 'mag_sockets_refused_total',
      help: 'Sockets refused because too many were open.',
      type: 'counter',
      samples: each((gate) => gate.refused),
    },
    {
      name: 'mag_turns_waiting',
      help: "Requests that wait for their project's turn.",
      type: 'gauge',
      samples: each(({ turns }) => turns.waiting),
    },
    {
      name: 'mag_turns_waited_total',
      help: 'Requests that waited for a later turn because their project had begun as many as it may in one.',
      type: 'counter',
      samples: each(({ turns }) => turns.waited),
    },
    {
      name: 'mag_turns_refused_total',
      help: 'Requests answered with 503 because too many of their project waited.',
      type: 'counter',
      samples: each(({ turns }) => turns.refused),
    },
  ];
}

/** Every counter of the realtime gateways, one metric with the counter's name as a label. */
function realtimeMetrics(edges: readonly EdgeStats[]): readonly Metric[] {
  const samples = edges.flatMap(({ edge, realtime }) =>
    Object.entries(realtime).map(([counter, value]) => ({ labels: { edge, counter }, value: Number(value) })),
  );
  return [
    { name: 'mag_realtime', help: 'Counters of the realtime gateways, by name.', type: 'gauge', samples },
  ];
}

/** 0: calls pass. 1: probes do. 2: none do. */
const OPENNESS: Readonly<Record<CircuitStats['state'], number>> = {
  ...{ closed: 0, disabled: 0, half_open: 1, open: 2, forced_open: 2 },
};

/** Circuits to the engines' servers, by edge worker and address. */
function circuitMetrics(edges: readonly EdgeStats[]): readonly Metric[] {
  const each = (read: (circuit: CircuitStats) => number): readonly Sample[] =>
    edges.flatMap(({ edge, circuits }) =>
      circuits.map((circuit) => ({ labels: { edge, server: circuit.server }, value: read(circuit) })),
    );
  return [
    {
      name: 'mag_engine_circuit',
      help: 'Circuit to an engine server: 0 closed, 1 half open, 2 open.',
      type: 'gauge',
      samples: each(({ state }) => OPENNESS[state]),
    },
    {
      name: 'mag_engine_circuit_refused_total',
      help: 'Calls refused at once because the circuit was open.',
      type: 'counter',
      samples: each(({ refused }) => refused),
    },
    {
      name: 'mag_engine_circuit_openings_total',
      help: 'Times the circuit opened.',
      type: 'counter',
      samples: each(({ openings }) => openings),
    },
  ];
}

function actorMetrics(tree: ActorNode): readonly Metric[] {
  const nodes: ActorNode[] = [];
  const visit = (node: ActorNode): void => {
    nodes.push(node);
    node.children.forEach(visit);
  };
  visit(tree);
  const each = (read: (node: ActorNode) => number): readonly Sample[] =>
    nodes.map((node) => ({ labels: { path: node.path }, value: read(node) }));
  return [
    {
      name: 'mag_actor_up',
      help: 'Whether the actor runs.',
      type: 'gauge',
      samples: each((node) => (node.status === 'running' ? 1 : 0)),
    },
    {
      name: 'mag_actor_restarts_total',
      help: 'Restarts of the actor.',
      type: 'counter',
      samples: each((node) => node.restarts),
    },
    {
      name: 'mag_mailbox_depth',
      help: 'Messages that wait.',
      type: 'gauge',
      samples: each((node) => node.mailbox.depth),
    },
    {
      name: 'mag_mailbox_dropped_total',
      help: 'Messages dropped or refused by a full mailbox.',
      type: 'counter',
      samples: each((node) => node.mailbox.dropped),
    },
  ];
}

/** Figures of a component that is up; while it is being restarted they are missing, and the others still there. */
function ifUp<Api, Figures>(
  { system }: ComponentContext,
  name: string,
  read: (api: Api) => Figures,
): Figures | null {
  try {
    return read(system.service<Api>(name));
  } catch {
    return null;
  }
}

function ownerMetrics(context: ComponentContext): readonly Metric[] {
  const audit = ifUp(context, 'audit', (log: AuditLog) => log.counters());
  const one = (name: string, help: string, type: 'counter' | 'gauge', value?: number): Metric => ({
    name,
    help,
    type,
    samples: value === undefined ? [] : [{ value }],
  });
  return [
    one('mag_audit_entries_total', 'Audit entries written since boot.', 'counter', audit?.written),
    one(
      'mag_audit_refused_total',
      'Audit entries refused: queue full or disk failed.',
      'counter',
      audit?.refused,
    ),
    one('mag_memory_rss_bytes', 'Resident memory of the board process.', 'gauge', process.memoryUsage.rss()),
  ];
}

/** Connections to the engines' servers, by engine. */
function permitMetrics(context: ComponentContext): readonly Metric[] {
  const owners = ifUp(context, 'permits', (all: PermitOwners) =>
    [...all].filter(([, { total }]) => total > 0),
  );
  type Owner = NonNullable<ReturnType<PermitOwners['get']>>;
  const each = (
    name: string,
    help: string,
    type: 'counter' | 'gauge',
    read: (owner: Owner) => number,
  ): Metric => ({
    ...{ name, help, type },
    samples: (owners ?? []).map(([engine, owner]) => ({ labels: { engine }, value: read(owner) })),
  });
  return [
    each('mag_pool_permits', 'Server connections leased to edge workers.', 'gauge', ({ used }) => used),
    each('mag_pool_permits_max', 'Server connections there may be.', 'gauge', ({ total }) => total),
    each(
      'mag_pool_waiting',
      'Requests for a server connection that wait.',
      'gauge',
      ({ waiting }) => waiting,
    ),
    each(
      'mag_pool_leased_total',
      'Server connections leased so far, each for one that was opened.',
      'counter',
      ({ leased }) => leased,
    ),
    each(
      'mag_pool_taken_total',
      'Idle connections closed for another project, or another worker.',
      'counter',
      ({ taken }) => taken,
    ),
    each(
      'mag_pool_unserved_total',
      'Requests for a server connection that were given none in time.',
      'counter',
      ({ unserved }) => unserved,
    ),
  ];
}

/** The whole board in Prometheus text. */
export async function boardMetrics(context: ComponentContext, shelf: Shelf): Promise<string> {
  const [edges, tree] = await Promise.all([edgeStats(context), context.system.tree()]);
  const ready = shelf.take('state').status().status === 'ready' ? 1 : 0;
  return renderPrometheus([
    {
      name: 'mag_ready',
      help: 'Whether every required part is healthy.',
      type: 'gauge',
      samples: [{ value: ready }],
    },
    ...gateMetrics(edges),
    ...realtimeMetrics(edges),
    ...circuitMetrics(edges),
    ...actorMetrics(tree),
    ...ownerMetrics(context),
    ...permitMetrics(context),
  ]);
}
