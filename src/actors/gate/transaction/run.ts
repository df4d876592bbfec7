import { MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import { parseExact, stringifyExact } from '../../../protocol/exact-json.ts';
import type { CallQuery, JsonValue, Query } from '../../../protocol/query.ts';
import type { EdgePorts } from '../../edge/ports.ts';
import { authoriseBy, requireAnyGrant } from '../../psu/access.ts';
import { requireCapabilities, requireCapability } from '../../storage/capabilities.ts';
import type { Engine, QueryResult, Transaction } from '../../storage/engine.ts';
import { hasEmbeds, resolveEmbeds } from '../../storage/relationships.ts';
import { runHooks, type StagedRequest, type StageHooks } from '../hooks.ts';
import type { RestCall } from '../rest-call.ts';
import { exposedIn } from '../rest-plan.ts';
import type { TransactionBody } from './body.ts';
import { failedAt, type Operation, type Operations, planOperations } from './operations.ts';

/** An operation on its way through the stages. */
interface Staged extends StagedRequest {
  readonly operation: Operation;
  query: Query | CallQuery;
}

/** Bytes of secret behind the marks of a transaction's references: none can be guessed. */
const SECRET_BYTES = 12;

const tooLarge = (): MagError =>
  new MagError('MAG_RESULT_TOO_LARGE', {
    limit: `${LIMITS.maxRows} rows or ${LIMITS.resultBytes / 1024 / 1024} MiB`,
  });

/** All results of one transaction within the bounds of one reply. */
class ResultBudget {
  #rows = 0;
  #bytes = 0;

  take({ json, rowCount }: QueryResult, gives: boolean): void {
    this.#rows += gives ? rowCount : 0;
    this.#bytes += json.length;
    if (this.#rows > LIMITS.maxRows || this.#bytes > LIMITS.resultBytes) throw tooLarge();
  }
}

/** A transaction whose operations are planned and authorised. */
export interface PreparedTransaction {
  readonly engine: Engine;
  readonly writes: boolean;
  /** Runs the operations inside `transaction`. It may run again after a failure. */
  run(transaction: Transaction): Promise<readonly QueryResult[]>;
  /** The body of the reply, once `results` are committed. */
  reply(results: readonly QueryResult[]): Promise<string>;
}

const givesRows = (query: Query | CallQuery): boolean =>
  query.kind === 'select' || query.kind === 'call' || query.returning !== undefined;

function requireRows({ expected }: Operation, { rowCount }: QueryResult): void {
  if (expected === null || expected === rowCount) return;
  throw new MagError('MAG_EXPECTATION_FAILED', { expected, found: rowCount });
}

function bodyOf(staged: readonly Staged[]): string {
  const parts = staged.map(({ operation: { name }, result }) => {
    const { json = '[]', rowCount = 0 } = result ?? {};
    const named = name === null ? '' : `"name":${JSON.stringify(name)},`;
    return `{${named}"rows":${json},"count":${rowCount}}`;
  });
  return `{"results":[${parts.join(',')}]}`;
}

/** Of a call, too, an array of rows: what is no row stands in a column of the function's name. */
function asRows(result: QueryResult, name: string): QueryResult {
  const { json, shape = 'rows', set = false } = result;
  if (shape === 'rows') return result;
  if (shape === 'void' || (shape === 'row' && json === 'null')) return { ...result, json: '[]', rowCount: 0 };
  if (shape === 'row') return { ...result, json: `[${json}]`, rowCount: 1 };
  // Its numbers keep their digits.
  const values = set ? (parseExact(json) as readonly JsonValue[]) : [parseExact(json)]; // an array, as shape says
  const rows = values.map((value) => ({ [name]: value }));
  return { ...result, json: stringifyExact(rows), rowCount: rows.length };
}

async function runOne(transaction: Transaction, query: Query | CallQuery): Promise<QueryResult> {
  if (query.kind !== 'call') return transaction.execute(query);
  if (transaction.call === undefined)
    throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'functions in a transaction' });
  return asRows(await transaction.call(query), query.function);
}

async function runAll(
  transaction: Transaction,
  staged: readonly Staged[],
  { references }: Operations,
): Promise<readonly QueryResult[]> {
  const results: QueryResult[] = [];
  const budget = new ResultBudget();
  for (const { operation, query } of staged) {
    try {
      const result = await runOne(transaction, references.bind(query, results));
      requireRows(operation, result);
      budget.take(result, givesRows(query));
      results.push(result);
    } catch (error) {
      throw failedAt(operation.label, error);
    }
  }
  return results;
}

/**
 * Takes every operation through the stages of a REST request, capabilities, hooks and access, before the first one
 * runs: what is refused is refused before anything is locked, and no hook runs inside the transaction.
 */
export async function prepareTransaction(
  ports: EdgePorts,
  hooks: StageHooks,
  call: RestCall,
  body: TransactionBody,
): Promise<PreparedTransaction> {
  const { id, project, principal } = call;
  requireCapability(project.engine, 'transaction');
  if (hooks.authenticated.length > 0) await runHooks(hooks.authenticated, call);
  const operations = planOperations(body.operations, ports.host.randomBytes(SECRET_BYTES), project.settings);
  const engine = await ports.sessions.open(project);
  const staged: Staged[] = [];
  for (const operation of operations.list) {
    const each: Staged = { id, project, principal, operation, query: operation.query, result: null };
    try {
      requireCapabilities(project.engine, each.query);
      if (hooks.parsed.length > 0) await runHooks(hooks.parsed, each);
      if (hasEmbeds(each.query)) {
        // Nobody is told how tables hang together who may do nothing with the first of them.
        if (each.query.kind !== 'call') requireAnyGrant(project, principal, each.query.table);
        each.query = resolveEmbeds(each.query, await engine.schema(call), exposedIn(project.settings));
      }
      each.query = authoriseBy(project, principal, each.query);
      if (hooks.authorised.length > 0) await runHooks(hooks.authorised, each);
    } catch (error) {
      throw failedAt(operation.label, error);
    }
    staged.push(each);
  }
  return {
    engine,
    writes: staged.some(({ query }) => query.kind !== 'select'),
    run: (transaction) => runAll(transaction, staged, operations),
    reply: async (results) => {
      for (const [at, each] of staged.entries()) each.result = results[at] ?? null;
      if (hooks.executed.length > 0) for (const each of staged) await runHooks(hooks.executed, each);
      return bodyOf(staged);
    },
  };
}
