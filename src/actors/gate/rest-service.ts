import type { IncomingMessage, ServerResponse } from 'node:http';
import { MagError, type PublicError, unnamed } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { CallQuery, Query } from '../../protocol/query.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { authoriseBy, requireAnyGrant } from '../psu/access.ts';
import { bearerOf, principalOf } from '../psu/project-key-check.ts';
import { CAPABILITIES, requireCapabilities, requireCapability } from '../storage/capabilities.ts';
import type { Engine, QueryResult, Transaction } from '../storage/engine.ts';
import { resolveEmbeds } from '../storage/relationships.ts';
import { CORS } from './cors.ts';
import { discreet, namesOthers } from './discretion.ts';
import { toPublic } from './faults.ts';
import type { GateMetrics } from './gate-metrics.ts';
import { runHooks, type StageHooks } from './hooks.ts';
import type { Once, Outcome } from './idempotency/once.ts';
import { keyHeader, replayHeaders, withoutRows } from './idempotency/replay.ts';
import { requestKey, unkeyed } from './idempotency/request-key.ts';
import { contentLocation, locationOf, returnKey } from './location.ts';
import { toProfile } from './profile-header.ts';
import { type FlatHeaders, overridden, proxyStatus, send, sendError } from './reply.ts';
import type { ReplyBudget } from './reply-budget.ts';
import { RestCall } from './rest-call.ts';
import { exposedIn, planRequest, type RestPlan } from './rest-plan.ts';
import { replyTo } from './rest-reply.ts';
import { serverTiming } from './server-timing.ts';
import { holdKey } from './single-upsert.ts';
import { withoutTarget } from './upsert-target.ts';

/** A REST request as it leaves the router. */
export interface RestTarget {
  readonly id: string;
  readonly ref: string;
  /** A table's name, or with `call` a function's. */
  readonly table: string;
  readonly call: boolean;
  /** Query string without its `?`. */
  readonly search: string;
  /** Text of the body, or empty. */
  readonly body: string;
}

export interface RestParts {
  readonly ports: EdgePorts;
  readonly hooks: StageHooks;
  readonly metrics: GateMetrics;
  readonly budget: ReplyBudget;
  readonly once: Once;
  readonly draining: () => boolean;
}

const NOTHING: QueryResult = { json: '[]', rowCount: 0, total: null, totalKind: null, inserted: 0 };

const isEmptyWrite = (query: Query): boolean =>
  (query.kind === 'insert' && query.rows.length === 0) ||
  (query.kind === 'update' && Object.keys(query.set).length === 0 && query.defaults === undefined);

const mayWrite = (query: Query | CallQuery): boolean =>
  query.kind === 'call' ? !query.readOnly : query.kind !== 'select';

function run(engine: Engine, query: Query | CallQuery, call: RestCall): QueryResult | Promise<QueryResult> {
  if (query.kind !== 'call') return isEmptyWrite(query) ? NOTHING : engine.execute(query, call);
  if (engine.call !== undefined) return engine.call(query, call);
  return Promise.reject(
    new MagError('MAG_ENGINE_UNSUPPORTED', { engine: engine.kind, what: CAPABILITIES.call }),
  );
}

function runIn(transaction: Transaction, query: Query | CallQuery): QueryResult | Promise<QueryResult> {
  if (query.kind !== 'call') return isEmptyWrite(query) ? NOTHING : transaction.execute(query);
  if (transaction.call !== undefined) return transaction.call(query);
  throw unkeyed('on a call of a function');
}

/** A record is text. */
function recordable(result: QueryResult): QueryResult {
  if (Buffer.isBuffer(result.media?.body)) throw unkeyed('on a reply of bytes');
  return result;
}

/** Throws MAG_ENGINE_UNSUPPORTED where the project's engine cannot do what was asked for. */
function requireAll(plan: RestPlan, call: RestCall): void {
  const { engine } = call.project;
  requireCapabilities(engine, plan.query);
  call.timezone = plan.prefer.timezone;
  call.accepts = plan.accepts;
  call.explain = plan.media.plan;
  if (!plan.prefer.rollback || !mayWrite(plan.query)) return;
  requireCapability(engine, 'rollback');
  call.rollback = true;
}

/** Nobody is told how tables hang together who may do nothing with the first of them. */
async function resolve(engine: Engine, call: RestCall, query: Query | CallQuery): Promise<Query | CallQuery> {
  if (query.kind !== 'call') requireAnyGrant(call.project, call.principal, query.table);
  return resolveEmbeds(query, await engine.schema(call), exposedIn(call.project.settings));
}

/** What gives one value affects one row by definition. Throws PGRST128 where no function of the name gives a set. */
async function requireSet(engine: Engine, call: RestCall, query: CallQuery): Promise<void> {
  const { functions = [] } = await engine.schema(call);
  const named = functions.filter((each) => each.schema === query.schema && each.name === query.function);
  if (named.length > 0 && !named.some(({ returns }) => returns.set)) throw new MagError('PGRST128');
}

/** The `apikey` of a query string, for clients that cannot set headers. */
export function queryKey(search: string): string | undefined {
  if (!search.includes('apikey=')) return undefined;
  return new URLSearchParams(search).get('apikey') ?? undefined;
}

/**
 * Takes REST requests from key to rows. It writes replies itself, in one go: on this path every layer between a
 * result and the socket shows in the figures.
 */
export class RestService {
  readonly #ports: EdgePorts;
  readonly #hooks: StageHooks;
  readonly #metrics: GateMetrics;
  readonly #budget: ReplyBudget;
  readonly #once: Once;
  readonly #draining: () => boolean;

  constructor({ ports, hooks, metrics, budget, once, draining }: RestParts) {
    this.#ports = ports;
    this.#hooks = hooks;
    this.#metrics = metrics;
    this.#budget = budget;
    this.#once = once;
    this.#draining = draining;
  }

  /** Answers one request; never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse, target: RestTarget): Promise<void> {
    const started = this.#ports.host.now();
    const cors = request.headers.origin === undefined ? [] : CORS;
    let status: number;
    try {
      status = await this.#serve(request, response, target, started, cors);
    } catch (error) {
      const told = namesOthers(error) ? await this.#discreetly(error, request, response, target) : error;
      const known = toPublic(told, this.#ports.log, target.id);
      status = known.status;
      sendError(response, target.id, known, [...proxyStatus(known), ...cors]);
    }
    this.#metrics.count('rest', status, this.#ports.host.now() - started);
  }

  /** Who calls is looked up again: it must not cost those who ask for what there is. */
  async #discreetly(
    error: MagError,
    request: IncomingMessage,
    response: ServerResponse,
    target: RestTarget,
  ): Promise<PublicError> {
    const { host, directory } = this.#ports;
    const time = { deadline: host.now() + LIMITS.statementTimeoutMs, wall: host.wallTime() };
    try {
      const call = admit(await directory.find(target.ref), request, response, target, time);
      return await discreet(this.#ports, call, error);
    } catch {
      return unnamed(error); // The first error is the one to tell, to somebody of whom nothing is known.
    }
  }

  /** The stages in order. Nothing is awaited that is at hand: each turn costs as much as parsing the query. */
  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    target: RestTarget,
    started: number,
    cors: readonly string[],
  ): Promise<number> {
    const hooks = this.#hooks;
    if ((request.url ?? '').length > LIMITS.urlBytes) {
      throw new MagError('MAG_URL_TOO_LONG', { limit: LIMITS.urlBytes });
    }
    const found = this.#ports.directory.find(target.ref);
    const project = found instanceof Promise ? await found : found;
    const time = { deadline: started + LIMITS.statementTimeoutMs, wall: this.#ports.host.wallTime() };
    const call = admit(project, request, response, target, time);
    const timing = serverTiming(call.project.settings, this.#ports.host, started);
    timing?.passed('jwt');
    if (hooks.authenticated.length > 0) await runHooks(hooks.authenticated, call);

    const { method = 'GET', headers: sent } = request;
    const planned = planRequest(method, target, target.search, sent, target.body, call.project);
    call.query = planned.query;
    requireAll(planned, call);
    timing?.passed('parse');
    if (hooks.parsed.length > 0) await runHooks(hooks.parsed, call);

    const opened = this.#ports.sessions.open(call.project);
    const engine = opened instanceof Promise ? await opened : opened;
    if (planned.key !== undefined) await holdKey(engine, call, planned.key);
    const plan = planned.prefer.resolution === null ? planned : await withoutTarget(engine, call, planned);
    const locating = plan.prefer.returns === 'headers-only' && (await returnKey(engine, call));
    if (plan.embeds) call.query = await resolve(engine, call, call.query ?? plan.query);
    call.query = authoriseBy(call.project, call.principal, call.query);
    if (hooks.authorised.length > 0) await runHooks(hooks.authorised, call);

    const { query } = call;
    if (query.kind === 'call' && query.maxAffected !== undefined) await requireSet(engine, call, query);
    timing?.passed('plan');
    const header = mayWrite(query) ? keyHeader(sent) : undefined;
    let outcome: Outcome<QueryResult> | null = null;
    if (header === undefined) call.result = await run(engine, query, call);
    else {
      outcome = await this.#executeOnce(engine, call, query, header, request, target);
      call.result = outcome.result;
    }
    timing?.passed('transaction');
    if (mayWrite(query)) this.#ports.feed.nudge(target.ref);
    if (hooks.executed.length > 0) await runHooks(hooks.executed, call);

    const { status, headers, body } = replyTo(plan, call.result, locating ? locationOf(call) : null);
    const { response: asked } = call.result;
    if (body !== null) this.#budget.admit(response, body);
    // Where a project shows several schemas, which one this is of.
    const profile = call.project.settings.schemas === undefined ? null : toProfile(query.schema);
    describe(headers, target, plan.kind, profile);
    if (outcome !== null) for (const each of replayHeaders(outcome)) headers.push(each);
    for (const header of cors) headers.push(header);
    if (timing !== null) headers.push('server-timing', timing.until('response'));
    // The drain may have begun while this request ran.
    if (this.#draining()) response.shouldKeepAlive = false;
    // Node writes headers in the encoding of a text after them, and those of bytes as they are.
    const bytes = profile !== null && profile !== query.schema && body !== null ? Buffer.from(body) : body;
    const shown = outcome?.omitted === true ? null : bytes;
    if (asked === undefined) send(response, status, headers, shown);
    else send(response, asked.status ?? status, overridden(headers, asked.headers, request), shown);
    return asked?.status ?? status;
  }

  /** A write under an idempotency key: a retry has passed every stage but this one. */
  #executeOnce(
    engine: Engine,
    call: RestCall,
    query: Query | CallQuery,
    header: string | readonly string[],
    { method = '', headers }: IncomingMessage,
    { table, search, body }: RestTarget,
  ): Promise<Outcome<QueryResult>> {
    const { principal } = call;
    if (call.rollback) throw unkeyed('beside tx=rollback');
    if (call.explain !== undefined) throw unkeyed('on a plan');
    const path = query.kind === 'call' ? `rpc/${table}` : table;
    const keyed = { principal, target: `${method} /rest/v1/${path}`, search, headers, body };
    return this.#once.run(engine, call, requestKey(header, keyed), {
      run: async (transaction) => recordable(await runIn(transaction, query)),
      shortly: (claim, settle) =>
        query.kind === 'call' || isEmptyWrite(query)
          ? null
          : (engine.executeOnce?.(query, claim, settle, call) ?? null),
      withoutRows,
    });
  }
}

/** Which request this answers, what it read, and of which schema. */
function describe(
  headers: FlatHeaders,
  { id, table, search }: RestTarget,
  kind: RestPlan['kind'],
  profile: string | null,
): void {
  headers.push('x-request-id', id);
  if (kind === 'read') headers.push('content-location', contentLocation(table, search));
  if (profile !== null) headers.push('content-profile', profile);
}

/** Throws MAG_PROJECT_NOT_FOUND, or what principalOf throws. */
function admit(
  project: ProjectHandle | null,
  request: IncomingMessage,
  response: ServerResponse,
  target: RestTarget,
  time: { readonly deadline: number; readonly wall: number },
): RestCall {
  if (project === null) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref: target.ref });
  const { apikey, authorization } = request.headers;
  const key = typeof apikey === 'string' ? apikey : queryKey(target.search);
  const principal = principalOf(project, key, bearerOf(authorization), time.wall);
  const { method = 'GET' } = request;
  return new RestCall(target.id, project, principal, time.deadline, response, {
    method,
    path: target.call ? `/rpc/${target.table}` : `/${target.table}`,
    headers: request.headers,
  });
}
