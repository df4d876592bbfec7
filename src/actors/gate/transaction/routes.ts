import type { FastifyRequest } from 'fastify';
import { MagError } from '../../../errors.ts';
import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { EdgePorts } from '../../edge/ports.ts';
import { CAPABILITIES, requireCapability } from '../../storage/capabilities.ts';
import type { QueryResult } from '../../storage/engine.ts';
import { discreet, namesOthers } from '../discretion.ts';
import type { App } from '../fastify-app.ts';
import type { StageHooks } from '../hooks.ts';
import type { Once, Outcome } from '../idempotency/once.ts';
import { keyHeader, replayHeaders, withoutRows } from '../idempotency/replay.ts';
import { requestKey, unkeyed } from '../idempotency/request-key.ts';
import { preferencesOf } from '../preferences.ts';
import { admit, type RefParams, searchOf } from '../project-routes.ts';
import { JSON_TYPE } from '../reply.ts';
import type { ReplyBudget } from '../reply-budget.ts';
import type { RestCall } from '../rest-call.ts';
import { type TransactionBody, transactionBody } from './body.ts';
import { type PreparedTransaction, prepareTransaction } from './run.ts';

interface TransactionParts {
  readonly ports: EdgePorts;
  readonly hooks: StageHooks;
  readonly budget: ReplyBudget;
  readonly once: Once;
}

type TransactionRequest = FastifyRequest<{ Params: RefParams; Body: TransactionBody }>;
type Results = readonly QueryResult[];

async function execute(
  { engine, run }: PreparedTransaction,
  call: RestCall,
  request: TransactionRequest,
  once: Once,
): Promise<Outcome<Results>> {
  const { headers, body, url } = request;
  const header = keyHeader(headers);
  if (header === undefined) {
    if (engine.transaction === undefined)
      throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: engine.kind, what: CAPABILITIES.transaction });
    return { result: await engine.transaction(run, call), replayed: false, omitted: false };
  }
  if (call.rollback) throw unkeyed('beside tx=rollback');
  const { principal } = call;
  const keyed = {
    ...{ principal, headers, target: 'POST /tx/v1', search: searchOf(url) },
    body: stringifyExact(body),
  };
  return once.run(engine, call, requestKey(header, keyed), {
    run,
    withoutRows: (results) => results.map(withoutRows),
  });
}

/** Several operations in one transaction, for every key of a project. */
export function transactionRoutes(app: App, { ports, hooks, budget, once }: TransactionParts): void {
  async function tryTransaction(call: RestCall, request: TransactionRequest) {
    try {
      const prepared = await prepareTransaction(ports, hooks, call, request.body);
      return { prepared, outcome: await execute(prepared, call, request, once) };
    } catch (error) {
      throw namesOthers(error) ? await discreet(ports, call, error) : error;
    }
  }
  app.post<{ Params: RefParams; Body: TransactionBody }>(
    '/p/:ref/tx/v1',
    {
      schema: { body: transactionBody },
      // Before the body is looked at, so that a stranger learns nothing from what is wrong with it.
      preValidation: async (request, reply) => void (await admit(ports, request, reply)),
    },
    async (request, reply) => {
      const call = await admit(ports, request, reply);
      if (preferencesOf(request.headers.prefer).rollback) {
        requireCapability(call.project.engine, 'rollback');
        call.rollback = true;
        reply.header('preference-applied', 'tx=rollback');
      }
      const { prepared, outcome } = await tryTransaction(call, request);
      if (prepared.writes) ports.feed.nudge(call.project.ref);
      const body = await prepared.reply(outcome.result);
      budget.admit(reply.raw, body);
      const said = replayHeaders(outcome);
      for (let at = 0; at < said.length; at += 2) reply.header(said[at] ?? '', said[at + 1]);
      return reply.type(JSON_TYPE).send(body);
    },
  );
}
