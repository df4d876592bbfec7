import {
  type ChildSpec,
  type Down,
  IGNORE,
  light,
  type Ref,
  type SupervisorHandle,
  type SupervisorOptions,
  supervisor,
} from '../../../src/index.ts';
import { type Bench, bench } from './probe.ts';

/** How a child is made to end: as OTP's test children are. */
export type How = 'normal' | 'shutdown' | 'abnormal' | 'kill';

type Order = { readonly type: 'DIE'; readonly how: How } | { readonly type: 'SLEEP' };

export interface Beginnings {
  /** Asked at each start, counted from 1: what it comes to. */
  readonly start?: (count: number) => 'ok' | 'ignore' | 'error';
}

/** supervisor_1.erl: a child that does what it is told, and whose start may be refused or not needed. */
export function child(id: string, options: Partial<ChildSpec> & Beginnings = {}): ChildSpec {
  const { start = () => 'ok', ...rest } = options;
  let starts = 0;
  const made = light(id, {
    init: () => {
      starts += 1;
      const result = start(starts);
      if (result === 'error') throw new Error(`${id} cannot start`);
      return result === 'ignore' ? IGNORE : null;
    },
    receive: (state: null, order: Order, context) => {
      if (order.type === 'DIE' && order.how === 'abnormal') throw new Error('abnormal');
      if (order.type === 'DIE' && order.how === 'normal') context.finish();
      return state;
    },
  });
  return { ...made, ...rest };
}

/** A child whose second and later starts fail. */
export const cannotRestart = (id: string, options: Partial<ChildSpec> = {}): ChildSpec =>
  child(id, { ...options, start: (count) => (count === 1 ? 'ok' : 'error') });

export const UNLIMITED = { max: 1_000, within: 1 };
/** OTP's `{Strategy, 2, 3600}`. */
export const TWICE = { max: 2, within: 3_600_000 };

/** A supervisor under test at `sup_test`, on virtual time, and what has become of whom. */
export class Sup {
  readonly bench: Bench;
  readonly ref: Ref;
  readonly #ends = new Map<string, Down['reason']>();

  private constructor(made: Bench, ref: Ref) {
    this.bench = made;
    this.ref = ref;
    this.watch(ref);
  }

  static async start(options: Partial<SupervisorOptions> = {}, made: Bench = bench()): Promise<Sup> {
    const spec = supervisor('sup_test', { intensity: TWICE, children: [], ...options });
    return new Sup(made, await made.settle(made.system.start(spec)));
  }

  /** The supervisor's interface, or another one's in its tree. */
  api(path = 'sup_test'): SupervisorHandle {
    return this.bench.system.supervisor(path);
  }

  async startChild(spec: ChildSpec, path = 'sup_test'): Promise<Ref> {
    const ref: Ref = await this.bench.settle(this.api(path).startChild(spec));
    return this.watch(ref);
  }

  async do(what: 'terminateChild' | 'restartChild' | 'deleteChild', id: string): Promise<void> {
    await this.bench.settle<unknown>(this.api()[what](id));
  }

  /** From now on `end` tells what it ended with. */
  watch(ref: Ref): Ref {
    ref.monitor((down) => void this.#ends.set(ref.address, down.reason));
    return ref;
  }

  /** The running incarnation of a child. */
  pid(id: string, path = 'sup_test'): Ref {
    const { ref } = this.api(path).child(id);
    if (ref === null) throw new Error(`${id} is not running`);
    return this.watch(ref);
  }

  end(ref: Ref): string {
    const reason = this.#ends.get(ref.address);
    return reason === undefined ? 'alive' : reason.kind;
  }

  get alive(): boolean {
    return this.end(this.ref) === 'alive';
  }

  /** Ends a child from outside its supervisor, and lets what follows happen. */
  async terminate(who: Ref | string, how: How): Promise<void> {
    const ref = typeof who === 'string' ? this.pid(who) : who;
    if (how === 'shutdown') void ref.stop('some_info');
    else if (how === 'kill') this.bench.runtime.registry.find(ref.path)?.kill();
    else ref.send({ type: 'DIE', how });
    await this.bench.host.runUntilIdle();
  }

  async stop(): Promise<void> {
    await this.bench.settle(this.ref.stop('shutdown'));
  }

  /** Specs, active, supervisors, workers. */
  counts(path = 'sup_test'): readonly number[] {
    const { specs, active, supervisors, workers } = this.api(path).count();
    return [specs, active, supervisors, workers];
  }

  /** In start order; OTP lists the last one first. */
  which(path = 'sup_test'): readonly string[] {
    return this.api(path)
      .children()
      .map(({ id, status }) => `${id} ${status}`);
  }

  ids(): readonly string[] {
    return this.api()
      .children()
      .map(({ id }) => id);
  }
}
