import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { encodeText, type Vsn } from '../../protocol/phoenix-frame.ts';
import type { JsonValue } from '../../protocol/query.ts';
import { fieldsOf } from '../../protocol/realtime-fields.ts';
import { wireText } from '../../protocol/realtime-wire.ts';
import type { EdgePorts, RelayMessage } from '../edge/ports.ts';
import type { Channel } from './channel.ts';
import { type PresenceEntry, PresenceTable } from './presence-table.ts';
import type { Project } from './project.ts';
import { TOPIC_PREFIX, type Topic, topicKey } from './topic.ts';

/** What gateways tell each other of one topic, as JSON in a relay message. */
interface PresenceNews {
  readonly gateway: string;
  readonly joins?: readonly PresenceEntry[];
  readonly leaves?: readonly string[];
  /** The sender has a topic it knows nothing of: the others answer with what they hold. */
  readonly asks?: boolean;
}

const isNews = (value: unknown): value is PresenceNews =>
  typeof value === 'object' && value !== null && 'gateway' in value && typeof value.gateway === 'string';

/**
 * Presence over all edge workers: each gateway owns its sockets' entries and tells the others; one that falls
 * silent is taken for dead, and its entries leave. Diffs go to clients once per turn.
 */
export class Presence {
  readonly #ports: EdgePorts;
  readonly #gateway: string;
  readonly #heard = new Map<string, number>();
  readonly #pending = new Set<Topic>();
  #flushing = false;
  #nextRef = 0;

  constructor(ports: EdgePorts) {
    this.#ports = ports;
    this.#gateway = Buffer.from(ports.host.randomBytes(6)).toString('base64url');
  }

  /** Tells a new member who is present. */
  welcome(project: Project, channel: Channel): void {
    const { topic } = channel;
    if (topic === null || !channel.presence) return;
    const table = this.#tableOf(project, topic);
    this.#tell(topic);
    channel.push('presence_state', table.state());
  }

  /** Makes the channel present under its key, or replaces what it said of itself. Throws MAG_CHANNEL_LIMIT. */
  track(project: Project, channel: Channel, payload: JsonValue): void {
    const { topic } = channel;
    if (topic === null) return;
    const fields = fieldsOf(payload);
    const size = Buffer.byteLength(JSON.stringify(fields));
    if (size > LIMITS.presencePayloadBytes) {
      throw new MagError('MAG_CHANNEL_LIMIT', {
        limit: LIMITS.presencePayloadBytes,
        what: 'bytes of presence',
      });
    }
    const joins = !channel.presence;
    channel.presence = true;
    const table = this.#tableOf(project, topic);
    if (table.bytes + size > LIMITS.presenceTopicBytes) {
      const limit = LIMITS.presenceTopicBytes;
      throw new MagError('MAG_CHANNEL_LIMIT', { limit, what: 'bytes of presence in the topic' });
    }
    if (joins) this.welcome(project, channel);
    this.#nextRef += 1;
    const ref = `${this.#gateway}.${this.#nextRef.toString(36)}`;
    const meta = channel.presenceRef === null ? fields : { ...fields, phx_ref_prev: channel.presenceRef };
    if (channel.presenceKey === '') channel.presenceKey = ref;
    const entry = { ref, key: channel.presenceKey, meta, size, gateway: this.#gateway };
    const leaves = channel.presenceRef === null ? [] : [channel.presenceRef];
    channel.presenceRef = ref;
    table.join(entry);
    for (const old of leaves) table.leave(old);
    this.#changed(topic);
    this.#publish(project.ref, topic, { gateway: this.#gateway, joins: [entry], leaves });
  }

  untrack(channel: Channel): void {
    const { topic, presenceRef } = channel;
    if (topic?.presence == null || presenceRef === null) return;
    channel.presenceRef = null;
    topic.presence.leave(presenceRef);
    this.#changed(topic);
    this.#publish(channel.connection.project.ref, topic, { gateway: this.#gateway, leaves: [presenceRef] });
  }

  /** News from another gateway; `project` is null where it has no socket here. */
  hear(project: Project | null, message: RelayMessage): void {
    const news: unknown = typeof message.payload === 'string' ? JSON.parse(message.payload) : null;
    if (!isNews(news) || news.gateway === this.#gateway) return;
    this.#heard.set(news.gateway, this.#ports.host.now());
    const topic = project?.topics.get(topicKey(message.topic, message.isPrivate === true));
    const table = topic?.presence;
    if (topic === undefined || table == null) return;
    for (const entry of news.joins ?? []) table.join(entry);
    for (const ref of news.leaves ?? []) table.leave(ref);
    this.#changed(topic);
    if (news.asks !== true) return;
    const joins = table.entriesOf(this.#gateway);
    if (joins.length > 0) this.#publish(message.ref, topic, { gateway: this.#gateway, joins });
  }

  /** Says that this gateway lives, and lets the entries of those that no longer do leave. */
  sweep(projects: Iterable<Project>): void {
    this.#send({
      kind: 'presence',
      ref: '',
      topic: '',
      event: '',
      payload: JSON.stringify({ gateway: this.#gateway }),
    });
    const oldest = this.#ports.host.now() - LIMITS.presenceSilenceMs;
    for (const project of projects) {
      for (const topic of project.topics.values()) {
        for (const gateway of topic.presence?.gateways() ?? []) {
          if (gateway === this.#gateway || (this.#heard.get(gateway) ?? 0) > oldest) continue;
          for (const entry of topic.presence?.entriesOf(gateway) ?? []) topic.presence?.leave(entry.ref);
          this.#changed(topic);
        }
      }
    }
    for (const [gateway, at] of this.#heard) if (at <= oldest) this.#heard.delete(gateway);
  }

  #tableOf(project: Project, topic: Topic): PresenceTable {
    if (topic.presence === null) {
      topic.presence = new PresenceTable();
      this.#publish(project.ref, topic, { gateway: this.#gateway, asks: true });
    }
    return topic.presence;
  }

  #publish(ref: string, topic: Topic, news: PresenceNews): void {
    const { name, isPrivate } = topic;
    this.#send({ kind: 'presence', ref, topic: name, isPrivate, event: '', payload: JSON.stringify(news) });
  }

  #send(message: RelayMessage): void {
    this.#ports.relay.publish(message);
  }

  #changed(topic: Topic): void {
    this.#pending.add(topic);
    if (this.#flushing) return;
    this.#flushing = true;
    this.#ports.host.soon(() => {
      this.#flushing = false;
      for (const pending of [...this.#pending]) this.#tell(pending);
    });
  }

  /** Sends what changed since the last time, before anything that builds on it. */
  #tell(topic: Topic): void {
    this.#pending.delete(topic);
    const diff = topic.presence?.takeDiff() ?? null;
    if (diff === null) return;
    const frames = new Map<Vsn, Buffer>();
    for (const channel of topic.members) {
      if (!channel.presence) continue;
      const { vsn, outbox } = channel.connection;
      const head = { joinRef: null, ref: null, topic: TOPIC_PREFIX + topic.name, event: 'presence_diff' };
      const frame = frames.get(vsn) ?? wireText(encodeText(vsn, { ...head, payload: diff }));
      frames.set(vsn, frame);
      outbox.push(frame);
    }
  }
}
