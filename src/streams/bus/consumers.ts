import { MagError } from '../../errors.ts';
import { BUS_LIMITS } from '../../limits-bus.ts';
import { createFlow, type Flow, type FlowEmitter } from '../flow.ts';
import type { ConsumerCounters, ConsumerOptions, StartFrom } from './bus.ts';
import type { Checkpoints } from './checkpoints.ts';
import { ConsumerState } from './consumer-state.ts';
import type { Delivery } from './delivery.ts';
import { Session, type SessionOwner, type SessionTopic } from './session.ts';

interface ConsumersTopic extends SessionTopic {
  offsetOf(from: StartFrom): Promise<number>;
}

/** A subscription until its consumer's state is read, or made durable; then it has its session. */
interface Attaching {
  session: Session | null;
  isCancelled: boolean;
  /** Resolves when it has its session, or never will. */
  over: Promise<void>;
}

/** The consumers of a topic, and the one session that each may have. */
export class Consumers implements SessionOwner {
  readonly #topic: ConsumersTopic;
  readonly #checkpoints: Checkpoints;
  readonly #sessions = new Map<string, Session | Attaching>();
  /** The last one that began, also when it has ended. */
  readonly #latest = new Map<string, Session>();
  #closed = false;

  constructor(topic: ConsumersTopic, checkpoints: Checkpoints) {
    this.#topic = topic;
    this.#checkpoints = checkpoints;
  }

  subscribe(options: ConsumerOptions): Flow<Delivery> {
    return createFlow<Delivery>((emitter) => {
      const attaching: Attaching = { session: null, isCancelled: false, over: Promise.resolve() };
      attaching.over = this.#attach(options, emitter, attaching).catch((error: unknown) =>
        emitter.error(error),
      );
      return {
        pull: () => attaching.session?.pull(),
        cancel: () => {
          attaching.isCancelled = true;
          attaching.session?.cancel();
        },
      };
    });
  }

  async seek(name: string, from: StartFrom): Promise<void> {
    for (let left = this.#leaving(name); left !== null; left = this.#leaving(name)) await left;
    this.#checkIdle(name);
    const offset = await this.#topic.offsetOf(from);
    for (let left = this.#leaving(name); left !== null; left = this.#leaving(name)) await left;
    this.#checkIdle(name);
    await this.#checkpoints.put(ConsumerState.at(name, this.#topic.lanes.length, offset));
  }

  async forget(name: string): Promise<void> {
    for (let left = this.#leaving(name); left !== null; left = this.#leaving(name)) await left;
    this.#checkIdle(name);
    this.#latest.delete(name);
    await this.#checkpoints.remove(name);
  }

  changed(state: ConsumerState): void {
    if (this.#checkpoints.get(state.name) === state) this.#checkpoints.changed(state.name);
  }

  ended(session: Session): void {
    if (this.#sessions.get(session.state.name) !== session) return;
    this.#sessions.delete(session.state.name);
    this.changed(session.state);
  }

  isLatest(session: Session): boolean {
    const { state } = session;
    return this.#latest.get(state.name) === session && this.#checkpoints.get(state.name) === state;
  }

  wake(): void {
    for (const session of this.#running()) session.wake();
  }

  /** Whether anybody reads now. */
  get isRead(): boolean {
    return this.#sessions.size > 0;
  }

  /** The oldest event that a consumer needs, or `next`. */
  floor(next: number): number {
    let floor = next;
    for (const state of this.#checkpoints.all()) floor = Math.min(floor, state.floor());
    return floor;
  }

  counters(next: number, first: number): Readonly<Record<string, ConsumerCounters>> {
    const counters = [...this.#checkpoints.all()].map((state) => {
      const { delivered, acked, redelivered, dead, expired, missed } = state;
      const lag = Math.max(0, next - Math.max(state.floor(), first));
      const pending = state.pending();
      return [state.name, { delivered, acked, redelivered, dead, expired, missed, pending, lag }];
    });
    return Object.fromEntries(counters);
  }

  finish(error: Error | null): void {
    for (const session of this.#running()) session.finish(error);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#checkpoints.close();
  }

  async #attach(
    options: ConsumerOptions,
    emitter: FlowEmitter<Delivery>,
    attaching: Attaching,
  ): Promise<void> {
    checkOptions(options);
    const name = options.consumer;
    for (let left = this.#leaving(name); left !== null; left = this.#leaving(name)) await left;
    this.#checkIdle(name);
    this.#sessions.set(name, attaching);
    try {
      const state = this.#checkpoints.get(name) ?? (await this.#introduce(name, options.from));
      if (this.#closed) throw this.#isClosed();
      const session = new Session(this.#topic, state, options, emitter, this);
      this.#sessions.set(name, session);
      this.#latest.set(name, session);
      attaching.session = session;
      if (attaching.isCancelled) session.cancel();
      else void session.start();
    } catch (error) {
      this.#sessions.delete(name);
      throw error;
    }
  }

  /** Durable before the first delivery: a crash must not let it begin at another place. */
  async #introduce(name: string, from: StartFrom = 'earliest'): Promise<ConsumerState> {
    if (this.#checkpoints.count >= BUS_LIMITS.busConsumers)
      throw new MagError('MAG_OVERLOADED', { what: `more than ${BUS_LIMITS.busConsumers} consumers` });
    const offset = await this.#topic.offsetOf(from);
    const state = ConsumerState.at(name, this.#topic.lanes.length, offset);
    await this.#checkpoints.put(state);
    return state;
  }

  #running(): readonly Session[] {
    return [...this.#sessions.values()].filter((held) => held instanceof Session);
  }

  /**
   * Null where nobody is about to leave. Who cancels while attaching holds the name until what is under way for it is
   * written: whoever wants it next waits, and finds it free in the very turn in which this is null.
   */
  #leaving(name: string): Promise<void> | null {
    const held = this.#sessions.get(name);
    return held === undefined || held instanceof Session || !held.isCancelled ? null : held.over;
  }

  #checkIdle(name: string): void {
    if (this.#closed) throw this.#isClosed();
    if (this.#sessions.has(name))
      throw new MagError('MAG_CONSUMER_BUSY', { topic: this.#topic.name, consumer: name });
  }

  #isClosed(): MagError {
    return new MagError('MAG_LOG_FAILED', { folder: this.#topic.name, cause: 'it is closed' });
  }
}

function checkOptions({ consumer, maxInFlight = 1, ackWait = 1, maxAttempts = 1 }: ConsumerOptions): void {
  const isCount = (value: number): boolean =>
    value >= 1 && (Number.isInteger(value) || value === Number.POSITIVE_INFINITY);
  let problem: string | null = null;
  if (consumer === '' || consumer.length > BUS_LIMITS.busIdBytes) problem = 'a consumer needs a name';
  else if (!isCount(maxInFlight)) problem = `maxInFlight ${maxInFlight}`;
  else if (!isCount(maxAttempts)) problem = `maxAttempts ${maxAttempts}`;
  else if (!(ackWait > 0)) problem = `ackWait ${ackWait}`;
  if (problem !== null) throw new MagError('MAG_BAD_REQUEST', { problem });
}
