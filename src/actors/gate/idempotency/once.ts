import { DatabaseError, MagError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type { EngineKind } from '../../../protocol/project.ts';
import { type Host, sleep } from '../../../runtime/host.ts';
import { CAPABILITIES, requireCapability } from '../../storage/capabilities.ts';
import type {
  ExecuteContext,
  IdempotencyClaim,
  IdempotencyRecord,
  Transaction,
} from '../../storage/engine.ts';
import type { RequestKey } from './request-key.ts';

/** How a write under an idempotency key went. */
export interface Outcome<Result> {
  readonly result: Result;
  /** The write was made by an earlier request. */
  readonly replayed: boolean;
  /** Its rows were too many to be remembered. */
  readonly omitted: boolean;
}

/** What runs a write and its record as one. */
export interface Recording<Within> {
  readonly kind: EngineKind;
  transaction?<Result>(work: (within: Within) => Promise<Result>, context: ExecuteContext): Promise<Result>;
}

/** A write that is to have one effect. */
export interface KeyedWork<Result, Within = Transaction> {
  /** May run again after a failure that the engine mends. What it gives must survive JSON. */
  run(transaction: Within): Promise<Result>;
  /** The same, with its record, by a shorter way than a transaction; null where the engine has none for this work. */
  shortly?(
    claim: IdempotencyClaim,
    settle: (result: Result) => string,
  ): { readonly known: IdempotencyRecord } | { readonly result: Result } | null;
  /** What is remembered of a result that is too large. */
  withoutRows(result: Result): Result;
}

/** What the waiting retries of a request are told when it is done. */
interface Committed {
  readonly fingerprint: string;
  readonly outcome: Outcome<unknown>;
}

type Recorded = Pick<Transaction, 'idempotency'>;

/** What a record holds, as JSON. */
interface Remembered<Result> {
  readonly result: Result;
  readonly omitted: boolean;
}

const isRunning = (error: unknown): boolean =>
  error instanceof MagError && error.code === 'MAG_IDEMPOTENCY_RUNNING';

function requireSame(known: string, fingerprint: string): void {
  if (known !== fingerprint) throw new MagError('MAG_IDEMPOTENCY_MISMATCH');
}

function remember<Result>(result: Result, work: Pick<KeyedWork<Result>, 'withoutRows'>): string {
  const whole: Remembered<Result> = { result, omitted: false };
  const text = JSON.stringify(whole);
  if (text.length <= LIMITS.idempotencyBytes) return text;
  const rest: Remembered<Result> = { result: work.withoutRows(result), omitted: true };
  return JSON.stringify(rest);
}

/**
 * Lets each idempotency key have one effect. The record commits with the write or not at all, so that a retry, on
 * whatever worker, in whatever life of the board, either finds it or runs. Retries that arrive here while the first
 * request runs here wait in memory and hold no connection.
 */
export class Once {
  readonly #host: Host;
  /** By project and key: what the request that holds it committed, or null once it failed. Never rejects. */
  readonly #running = new Map<string, Promise<Committed | null>>();
  #waiting = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /**
   * Runs the work in a transaction with its record, or gives what an earlier run left. Throws MAG_ENGINE_UNSUPPORTED,
   * MAG_IDEMPOTENCY_MISMATCH, MAG_IDEMPOTENCY_RUNNING, and what the work throws: then nothing is remembered.
   */
  async run<Result, Within extends Recorded>(
    engine: Recording<Within>,
    context: ExecuteContext,
    request: RequestKey,
    work: KeyedWork<Result, Within>,
  ): Promise<Outcome<Result>> {
    requireCapability(engine.kind, 'idempotency');
    const place = `${context.tenant}:${request.key}`;
    const until = Math.min(this.#host.now() + LIMITS.idempotencyWaitMs, context.deadline);
    for (;;) {
      const held = this.#running.get(place);
      // In one turn with the look: of those that waited, one takes the key.
      if (held === undefined)
        return this.#hold(place, request, () => this.#tryUntil(until, engine, context, request, work));
      const committed = await this.#wait(held, until, context.signal);
      if (committed === null) continue;
      requireSame(committed.fingerprint, request.fingerprint);
      // One key and one fingerprint are one request, whose result is of one type.
      return { ...(committed.outcome as Outcome<Result>), replayed: true };
    }
  }

  /** Tries again while another worker has the key. */
  async #tryUntil<Result, Within extends Recorded>(
    until: number,
    engine: Recording<Within>,
    context: ExecuteContext,
    request: RequestKey,
    work: KeyedWork<Result, Within>,
  ): Promise<Outcome<Result>> {
    for (;;) {
      try {
        return await this.#attempt(engine, context, request, work);
      } catch (error) {
        if (!isRunning(error) || this.#host.now() + LIMITS.idempotencyPollMs >= until) throw error;
        await this.#pause(LIMITS.idempotencyPollMs, context.signal);
      }
    }
  }

  async #wait<Result>(
    held: Promise<Result>,
    until: number,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    const left = until - this.#host.now();
    if (this.#waiting >= LIMITS.idempotencyWaiters || left <= 0)
      throw new MagError('MAG_IDEMPOTENCY_RUNNING');
    this.#waiting += 1;
    const over = new AbortController();
    const signals = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    const late = this.#pause(left, signals).then((): never => {
      throw new MagError('MAG_IDEMPOTENCY_RUNNING');
    });
    try {
      return await Promise.race([held, late]);
    } finally {
      this.#waiting -= 1;
      late.catch(() => {}); // Once the race is over nobody waits for it.
      over.abort();
    }
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return sleep(this.#host, ms, signal).catch((cause: unknown) => {
      throw new DatabaseError('57014', 'The client went away', { cause });
    });
  }

  async #hold<Result>(
    place: string,
    { fingerprint }: RequestKey,
    work: () => Promise<Outcome<Result>>,
  ): Promise<Outcome<Result>> {
    let tell: (committed: Committed | null) => void = () => {};
    const held = new Promise<Committed | null>((resolve) => {
      tell = resolve;
    });
    this.#running.set(place, held);
    let committed: Committed | null = null;
    try {
      const outcome = await work();
      committed = { fingerprint, outcome };
      return outcome;
    } finally {
      this.#running.delete(place);
      tell(committed);
    }
  }

  async #attempt<Result, Within extends Recorded>(
    engine: Recording<Within>,
    context: ExecuteContext,
    request: RequestKey,
    work: KeyedWork<Result, Within>,
  ): Promise<Outcome<Result>> {
    const now = this.#host.wallTime();
    const claim = { ...request, now, expires: now + LIMITS.idempotencyMs };
    const settle = (result: Result): string => remember(result, work);
    const done = work.shortly?.(claim, settle) ?? null;
    if (done !== null) return 'known' in done ? replay(done.known, claim) : first(done.result);
    const cannot = { engine: engine.kind, what: CAPABILITIES.idempotency };
    if (engine.transaction === undefined) throw new MagError('MAG_ENGINE_UNSUPPORTED', cannot);
    return engine.transaction(async (transaction): Promise<Outcome<Result>> => {
      const { idempotency } = transaction;
      if (idempotency === undefined) throw new MagError('MAG_ENGINE_UNSUPPORTED', cannot);
      const known = await idempotency.claim(claim);
      if (known !== null) return replay(known, claim);
      const result = await work.run(transaction);
      await idempotency.settle(claim.key, settle(result));
      return first(result);
    }, context);
  }
}

const first = <Result>(result: Result): Outcome<Result> => ({ result, replayed: false, omitted: false });

function replay<Result>(known: IdempotencyRecord, { fingerprint }: RequestKey): Outcome<Result> {
  requireSame(known.fingerprint, fingerprint);
  // As `remember` wrote it when the same request ran first.
  return { ...(JSON.parse(known.result) as Remembered<Result>), replayed: true };
}
