import { LIMITS } from '../../limits.ts';
import type { BreakerState } from '../../machines/breaker.ts';
import type { Connection } from '../../protocol/project.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { type Breaker, createBreaker } from '../../runtime/resilience/breaker.ts';
import type { Engine } from '../storage/engine.ts';
import { EngineUnreachable } from '../storage/engine-unreachable.ts';

/** How calls to one engine's server fare from this edge worker; plain data. */
export interface CircuitStats {
  /** `postgres 127.0.0.1:5432`. */
  readonly server: string;
  readonly state: BreakerState;
  readonly refused: number;
  readonly openings: number;
}

/** The server behind a connection, or null where there is none to go away. */
function serverOf(connection: Connection): string | null {
  if ('url' in connection) return `${connection.engine} ${/\/\/([^/]*)/.exec(connection.url)?.[1] ?? ''}`;
  if (!('host' in connection)) return null;
  return `${connection.engine} ${connection.host}:${connection.port}`;
}

/**
 * A circuit breaker per engine server: while it cannot be reached, calls are refused at once and not each after its own
 * timeout, and a few probes find out when it is back. Calls that are only slow, and errors of the request's or the
 * tenant's own making, never count.
 */
export class EngineCircuits {
  readonly #host: Host;
  readonly #log: Log;
  readonly #circuits = new Map<string, { readonly breaker: Breaker; openings: number }>();

  constructor(host: Host, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  /** The engine, its calls let through by its server's circuit; they reject with MAG_CIRCUIT_OPEN while that is open. */
  guard(engine: Engine, connection: Connection): Engine {
    const server = serverOf(connection);
    return server === null ? engine : guarded(engine, this.#breakerOf(server, connection.engine));
  }

  stats(): readonly CircuitStats[] {
    return [...this.#circuits].map(([server, { breaker, openings }]) => {
      const { state, refused } = breaker.stats();
      return { server, state, refused, openings };
    });
  }

  #breakerOf(server: string, name: string): Breaker {
    const known = this.#circuits.get(server);
    if (known !== undefined) return known.breaker;
    const breaker = createBreaker({
      ...{ host: this.#host, name },
      isFailure: (error) => error instanceof EngineUnreachable,
      minimumCalls: LIMITS.engineCircuitCalls,
      open: { base: LIMITS.engineCircuitOpenMs, cap: LIMITS.engineCircuitOpenCapMs, jitter: 0.2 },
      probes: LIMITS.engineCircuitProbes,
      // A probe may be any statement, and take as long as one may.
      probeMs: LIMITS.statementTimeoutMs * 2,
      ...{ slowMs: Number.MAX_SAFE_INTEGER, slowRatio: 2 },
      onChange: ({ from, state }) => {
        if (state === 'open') circuit.openings += 1;
        this.#log.warn({ server, from, state }, 'the circuit to an engine changed');
      },
    });
    const circuit = { breaker, openings: 0 };
    const oldest = this.#circuits.keys().next();
    if (this.#circuits.size >= LIMITS.engineCircuits && !oldest.done) this.#circuits.delete(oldest.value);
    this.#circuits.set(server, circuit);
    return breaker;
  }
}

/** Every call of the engine through the breaker; what it cannot do stays absent. */
function guarded(engine: Engine, breaker: Breaker): Engine {
  const call = engine.call?.bind(engine);
  const native = engine.native?.bind(engine);
  const transaction = engine.transaction?.bind(engine);
  const scripts = engine.scripts?.bind(engine);
  const reachable = engine.reachable?.bind(engine);
  const all = {
    kind: engine.kind,
    execute: (query, context) => breaker.run(() => engine.execute(query, context)),
    sql: (statement, params, context) => breaker.run(() => engine.sql(statement, params, context)),
    call: call && ((query, context) => breaker.run(() => call(query, context))),
    native: native && ((command, context) => breaker.run(() => native(command, context))),
    transaction: transaction && ((work, context) => breaker.run(() => transaction(work, context))),
    scripts: scripts && ((work, context) => breaker.run(() => scripts(work, context))),
    // Of engines without a server.
    executeOnce: engine.executeOnce?.bind(engine),
    schema: (context, fresh) => breaker.run(() => engine.schema(context, fresh)),
    reachable: reachable && ((context) => breaker.run(() => reachable(context))),
    close: () => engine.close(),
  } satisfies { [Method in keyof Required<Engine>]: Engine[Method] | undefined };
  const able = Object.entries(all).filter(([, method]) => method !== undefined);
  return Object.fromEntries(able) as unknown as Engine; // All of its methods, without what it cannot do.
}
