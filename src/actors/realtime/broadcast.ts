import { MagError } from '../../errors.ts';
import type { RelayMessage } from '../edge/ports.ts';
import type { Channel } from './channel.ts';
import type { GatewayContext } from './context.ts';
import type { Project } from './project.ts';
import { BroadcastFrames, TOPIC_PREFIX, type Topic, topicKey } from './topic.ts';

/** Bytes of a JSON text that arrived in a binary frame, checked: a client throws on text that is none. */
export function jsonText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new MagError(
      'MAG_FRAME_INVALID',
      { problem: 'the payload of the broadcast is not JSON' },
      { cause },
    );
  }
  return text;
}

/** Hands a broadcast to the topic's members here, except the sender unless it asked for its own. */
function fanOut(
  context: GatewayContext,
  topic: Topic,
  event: string,
  payload: string | Uint8Array,
  sender: Channel | null,
): void {
  const frames = new BroadcastFrames(TOPIC_PREFIX + topic.name, event, payload);
  for (const channel of topic.members) {
    if (channel === sender && !channel.config.self) continue;
    const frame = frames.frame(channel.connection.vsn);
    if (frame === null) context.counters.broadcastsUndeliverable += 1;
    else channel.connection.outbox.push(frame);
  }
}

/** A member's broadcast: to the members here, and to the other edge workers. */
export function broadcastFrom(
  context: GatewayContext,
  sender: Channel,
  event: string,
  payload: string | Uint8Array,
): void {
  const { topic } = sender;
  if (topic === null) return;
  context.counters.broadcasts += 1;
  fanOut(context, topic, event, payload, sender);
  relay(context, sender.connection.project.ref, topic.name, topic.isPrivate, event, payload);
}

/**
 * A broadcast from outside any channel (REST): `project` is null where it has no socket here. Throws
 * MAG_FRAME_INVALID for bytes under an event that no binary frame can name.
 */
export function broadcastInto(
  context: GatewayContext,
  ref: string,
  project: Project | null,
  message: { readonly topic: string; readonly event: string; readonly isPrivate: boolean },
  payload: string | Uint8Array,
): void {
  if (typeof payload !== 'string' && Buffer.byteLength(message.event) > 255) {
    throw new MagError('MAG_FRAME_INVALID', { problem: 'the event is longer than 255 bytes' });
  }
  context.counters.broadcasts += 1;
  const topic = project?.topics.get(topicKey(message.topic, message.isPrivate));
  if (topic !== undefined) fanOut(context, topic, message.event, payload, null);
  relay(context, ref, message.topic, message.isPrivate, message.event, payload);
}

/** A broadcast that another edge worker took. */
export function broadcastRelayed(context: GatewayContext, project: Project, message: RelayMessage): void {
  const topic = project.topics.get(topicKey(message.topic, message.isPrivate === true));
  if (topic !== undefined) fanOut(context, topic, message.event, message.payload, null);
}

function relay(
  context: GatewayContext,
  ref: string,
  topic: string,
  isPrivate: boolean,
  event: string,
  payload: string | Uint8Array,
): void {
  // A copy of its own: cloning a view would carry the whole receive buffer along.
  const carried = typeof payload === 'string' ? payload : new Uint8Array(payload);
  context.ports.relay.publish({ ref, topic, isPrivate, event, payload: carried });
}
