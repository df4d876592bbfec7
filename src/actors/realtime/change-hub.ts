import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Change, FeedPosition } from '../../protocol/change.ts';
import { CLOSE } from '../../protocol/realtime-wire.ts';
import { sleep } from '../../runtime/host.ts';
import { ChangeEvaluation } from './change-evaluation.ts';
import { type ChangeGroup, ChangeGroups } from './change-group.ts';
import type { Channel } from './channel.ts';
import { Consumer } from './consumer.ts';
import type { GatewayContext } from './context.ts';
import { FeedFollower, isExpired } from './feed-follower.ts';
import type { Project } from './project.ts';

const EXTENSION = 'postgres_changes';

/** A replay goes at its reader's pace: a part of the outbox is left for what is live. */
const crowded = (channel: Channel): boolean => channel.connection.outbox.pending > LIMITS.outboxBytes / 4;

/** Row changes of one project on their way to its channels. Follows the feed while somebody is subscribed. */
export class ChangeHub {
  readonly #context: GatewayContext;
  readonly #project: Project;
  readonly #groups = new ChangeGroups();
  #follower: FeedFollower | null = null;
  /** Channels subscribed or about to be. */
  #interested = 0;

  constructor(context: GatewayContext, project: Project) {
    this.#context = context;
    this.#project = project;
  }

  get groups(): number {
    return this.#groups.size;
  }

  /** Makes the feed live. Each call must be paired with one `release`. Throws MAG_FEED_UNAVAILABLE. */
  async retain(): Promise<void> {
    this.#interested += 1;
    this.#follower ??= new FeedFollower(
      this.#context.ports,
      this.#project.ref,
      { change: (epoch, change) => this.#dispatch(epoch, change), gap: (error) => this.#gap(error) },
      this.#context.counters,
    );
    await this.#follower.start();
  }

  /** Where live delivery stands. Throws MAG_FEED_UNAVAILABLE while it has no place. */
  position(): FeedPosition {
    const position = this.#follower?.position ?? null;
    if (position !== null) return position;
    throw new MagError('MAG_FEED_UNAVAILABLE', { ref: this.#project.ref, why: 'it has no position yet' });
  }

  release(): void {
    this.#interested -= 1;
    if (this.#interested > 0) return;
    this.#follower?.stop();
    this.#follower = null;
  }

  /** Throws MAG_RESUME_EXPIRED where the log cannot go on from `position`. */
  async checkResume(position: FeedPosition): Promise<void> {
    const { feed } = this.#context.ports;
    const { ref } = this.#project;
    const head = await feed.activate(ref);
    const known = head.epoch === position.epoch && position.offset <= head.offset;
    if (!known) throw new MagError('MAG_RESUME_EXPIRED', { offset: position.offset });
    await feed.read(ref, position, 1);
  }

  /** Starts delivery, in the turn in which the join was answered. `position` is where the feed stands. */
  subscribe(channel: Channel, position: FeedPosition): void {
    const { extension } = channel.config;
    this.#groups.add(channel);
    if (extension !== null) channel.consumer = new Consumer(extension, extension.resume ?? position);
    if (extension?.resume) {
      channel.step('RESUMED');
      void this.#replay(channel);
    } else {
      channel.step('FOLLOWED');
    }
  }

  unsubscribe(channel: Channel): void {
    if (channel.group === null) return;
    this.#groups.remove(channel);
    this.release();
  }

  /** Its principal changed: from the next change on it sees what the new one sees. */
  regroup(channel: Channel): void {
    if (channel.group === null) return;
    this.#groups.remove(channel);
    this.#groups.add(channel);
  }

  grant(channel: Channel, credit: number): void {
    const { consumer } = channel;
    if (consumer === null) return;
    const { frames, dropped } = consumer.grant(credit);
    if (dropped > 0) {
      const message = `${dropped} changes were dropped for want of credit`;
      channel.system('magmobo', 'error', message, { dropped });
      this.#context.counters.changesDropped += dropped;
    }
    this.#send(channel, frames);
    if (channel.state === 'parked' && consumer.open) {
      channel.step('CREDIT_GRANTED');
      void this.#replay(channel);
    }
  }

  #evaluation(epoch: string, change: Change): ChangeEvaluation {
    const { engine, settings } = this.#project.handle;
    const { policed } = this.#project;
    policed.refresh();
    const source = { epoch, engine, policed: policed.names };
    return new ChangeEvaluation(source, change, settings.grants, this.#context.see);
  }

  #dispatch(epoch: string, change: Change): void {
    const evaluation = this.#evaluation(epoch, change);
    const position = { epoch, offset: change.offset };
    for (const group of this.#groups.candidates(change)) {
      const frames = this.#framesFor(evaluation, group);
      if (frames.length === 0) continue;
      for (const channel of group.channels) {
        if (channel.consumer === null) this.#send(channel, frames);
        else if (channel.state === 'live') this.#offer(channel, channel.consumer, frames, position);
      }
    }
  }

  /** A rule or filter that raises shows nothing to its own group, once told, and stops nobody else. */
  #framesFor(evaluation: ChangeEvaluation, group: ChangeGroup): readonly Buffer[] {
    try {
      const frames = evaluation.framesFor(group);
      group.failing = false;
      return frames;
    } catch (error) {
      this.#context.counters.policyFailures += 1;
      if (!group.failing) {
        group.failing = true;
        this.#context.ports.log.error(
          { ref: this.#project.ref, err: error },
          'a change could not be authorised',
        );
        for (const channel of group.channels) {
          channel.system(EXTENSION, 'error', 'A change could not be authorised and was left out');
        }
      }
      return [];
    }
  }

  #offer(channel: Channel, consumer: Consumer, frames: readonly Buffer[], position: FeedPosition): void {
    switch (consumer.offer(frames, position)) {
      case 'deliver':
        this.#send(channel, frames);
        break;
      case 'park':
        channel.step('CREDIT_EXHAUSTED');
        break;
      case 'disconnect':
        this.#context.counters.slowConsumers += 1;
        channel.connection.close(CLOSE.slowConsumer);
        break;
      default:
        break;
    }
  }

  #send(channel: Channel, frames: readonly Buffer[]): void {
    for (const frame of frames) channel.connection.outbox.push(frame);
    this.#context.counters.changesDelivered += frames.length;
  }

  /** Reads the log from the channel's position until it meets what was delivered live, then goes live. */
  async #replay(channel: Channel): Promise<void> {
    const { host, feed } = this.#context.ports;
    let wait: number = LIMITS.backoffBaseMs;
    while (channel.state === 'replaying' && channel.consumer !== null) {
      const consumer = channel.consumer;
      try {
        if (crowded(channel)) {
          await sleep(host, LIMITS.replayPauseMs);
          continue;
        }
        const changes = await feed.read(this.#project.ref, consumer.position, LIMITS.feedBatch);
        wait = LIMITS.backoffBaseMs;
        if (channel.state !== 'replaying') return;
        this.#replayBatch(channel, consumer, changes);
        if (channel.state !== 'replaying' || this.#caughtUp(channel, consumer)) return;
        if (changes.length === 0) await sleep(host, LIMITS.replayPauseMs);
      } catch (error) {
        if (isExpired(error)) {
          this.#expire(channel, consumer.position);
          return;
        }
        this.#context.ports.log.warn({ ref: this.#project.ref, err: error }, 'a replay waits for its feed');
        await sleep(host, wait);
        wait = Math.min(wait * 2, LIMITS.backoffCapMs);
      }
    }
  }

  #replayBatch(channel: Channel, consumer: Consumer, changes: readonly Change[]): void {
    const { epoch } = consumer.position;
    for (const change of changes) {
      const { group } = channel;
      if (group === null) return;
      const frames = this.#framesFor(this.#evaluation(epoch, change), group);
      const position = { epoch, offset: change.offset };
      if (frames.length > 0 && !consumer.open && consumer.overflow === 'park') {
        channel.step('CREDIT_EXHAUSTED');
        return;
      }
      if (frames.length > 0) this.#offer(channel, consumer, frames, position);
      if (channel.state !== 'replaying') return;
      consumer.position = position;
      // The rest is read again once its reader has caught up.
      if (crowded(channel)) return;
    }
  }

  /**
   * Goes live once everything that was dispatched live lies behind the channel. Changes that are both in the log
   * and still to be dispatched are skipped then by their offset.
   */
  #caughtUp(channel: Channel, consumer: Consumer): boolean {
    const live = this.#follower?.position ?? null;
    if (live === null || live.epoch !== consumer.position.epoch) return false;
    if (live.offset > consumer.position.offset) return false;
    channel.step('CAUGHT_UP');
    return true;
  }

  #expire(channel: Channel, position: FeedPosition): void {
    this.#context.counters.resumesExpired += 1;
    const message = `resume_expired: the offset ${position.offset} is no longer held`;
    channel.system(EXTENSION, 'error', message, { code: 'MAG_RESUME_EXPIRED' });
    channel.pushEnd('phx_close');
    this.#project.drop(channel);
  }

  #gap(error: Error): void {
    this.#context.ports.log.warn({ ref: this.#project.ref, err: error }, 'changes may have been missed');
    for (const group of [...this.#groups.values()]) {
      for (const channel of [...group.channels]) {
        if (channel.consumer !== null) this.#expire(channel, channel.consumer.position);
        else channel.system(EXTENSION, 'error', 'Changes may have been missed: read the table again');
      }
    }
  }
}
