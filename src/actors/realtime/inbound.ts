import { isPublicError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { decodePush, decodeText, type PhoenixMessage } from '../../protocol/phoenix-frame.ts';
import type { JsonValue } from '../../protocol/query.ts';
import { accessTokenOf, creditOf } from '../../protocol/realtime-config.ts';
import { fieldsOf } from '../../protocol/realtime-fields.ts';
import { CLOSE } from '../../protocol/realtime-wire.ts';
import { broadcastFrom, jsonText } from './broadcast.ts';
import { type Channel, principalKey } from './channel.ts';
import type { Connection } from './connection.ts';
import type { GatewayContext } from './context.ts';
import { join, refusal, requirePrivate } from './join.ts';

function replyTo(
  connection: Connection,
  message: PhoenixMessage,
  status: 'ok' | 'error',
  response: JsonValue,
): void {
  const { joinRef, ref, topic } = message;
  connection.send({ joinRef, ref, topic, event: 'phx_reply', payload: { status, response } });
}

/** Its token was refused or ran out: it is told, and the channel ends. */
export function endUnauthorised(channel: Channel, error: unknown): void {
  const { reason } = refusal(error);
  channel.system('system', 'error', String(reason));
  channel.pushEnd('phx_close');
  channel.connection.project.drop(channel);
}

function accessToken(context: GatewayContext, channel: Channel, message: PhoenixMessage): void {
  const { connection } = channel;
  try {
    const token = accessTokenOf(message.payload) ?? undefined;
    const principal = context.identify(connection.project.handle, connection.apikey, token);
    const changed = principalKey(principal) !== principalKey(channel.principal);
    requirePrivate(principal, channel.config, channel.fullTopic);
    channel.principal = principal;
    if (changed) connection.project.changes.regroup(channel);
  } catch (error) {
    if (!isPublicError(error)) throw error;
    endUnauthorised(channel, error);
  }
}

function broadcast(context: GatewayContext, channel: Channel, message: PhoenixMessage): void {
  const { event, payload } = fieldsOf(message.payload);
  if (typeof event !== 'string')
    throw new MagError('MAG_FRAME_INVALID', { problem: 'a broadcast names no event' });
  broadcastFrom(context, channel, event, JSON.stringify(payload === undefined ? {} : payload));
  if (channel.config.ack) channel.reply(message.ref, 'ok', {});
}

function presence(context: GatewayContext, channel: Channel, message: PhoenixMessage): void {
  const { event, payload } = fieldsOf(message.payload);
  if (event === 'track') context.presence.track(channel.connection.project, channel, payload ?? {});
  else if (event === 'untrack') context.presence.untrack(channel);
  else throw new MagError('MAG_CHANNEL_EVENT_UNKNOWN', { event: `presence ${String(event)}` });
  channel.reply(message.ref, 'ok', {});
}

function credit(channel: Channel, message: PhoenixMessage): void {
  if (channel.consumer === null) throw new MagError('MAG_CHANNEL_EVENT_UNKNOWN', { event: 'credit' });
  const granted = creditOf(fieldsOf(message.payload).n);
  channel.connection.project.changes.grant(channel, granted);
  channel.reply(message.ref, 'ok', { credit: channel.consumer?.credit ?? null });
}

function leave(channel: Channel, message: PhoenixMessage): void {
  channel.reply(message.ref, 'ok', {});
  channel.pushEnd('phx_close');
  channel.connection.project.drop(channel);
}

type Handler = (context: GatewayContext, channel: Channel, message: PhoenixMessage) => void;

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['broadcast', broadcast],
  ['presence', presence],
  ['access_token', accessToken],
  ['credit', (_context, channel, message) => credit(channel, message)],
  ['phx_leave', (_context, channel, message) => leave(channel, message)],
]);

function toChannel(context: GatewayContext, channel: Channel, message: PhoenixMessage): void {
  const handler = HANDLERS.get(message.event);
  if (handler === undefined) throw new MagError('MAG_CHANNEL_EVENT_UNKNOWN', { event: message.event });
  handler(context, channel, message);
}

/** The channel that a message is for; one of an earlier join of the topic, or before its answer, reaches none. */
function channelFor(connection: Connection, { topic, joinRef, event }: PhoenixMessage): Channel {
  const channel = connection.channels.get(topic);
  const current = channel !== undefined && (joinRef === null || joinRef === channel.joinRef);
  const early = channel?.state === 'joining' && event !== 'phx_leave';
  if (!current || early) throw new MagError('MAG_CHANNEL_UNKNOWN', { topic });
  return channel;
}

function handle(context: GatewayContext, connection: Connection, message: PhoenixMessage): void {
  const { topic, event } = message;
  if (topic === 'phoenix') {
    if (event !== 'heartbeat') throw new MagError('MAG_CHANNEL_EVENT_UNKNOWN', { event });
    replyTo(connection, message, 'ok', {});
  } else if (event === 'phx_join') {
    join(context, connection, message);
  } else if (event === 'phx_leave' && !connection.channels.has(topic)) {
    // Gone already is what the client wants.
    replyTo(connection, message, 'ok', {});
  } else {
    toChannel(context, channelFor(connection, message), message);
  }
}

function handlePush(context: GatewayContext, connection: Connection, bytes: Buffer): PhoenixMessage {
  const push = decodePush(bytes);
  const { joinRef, ref, topic } = push;
  const message = { joinRef, ref, topic, event: 'broadcast', payload: {} };
  try {
    const channel = channelFor(connection, message);
    broadcastFrom(
      context,
      channel,
      push.event,
      push.encoding === 'json' ? jsonText(push.payload) : push.payload,
    );
    if (channel.config.ack) channel.reply(ref, 'ok', {});
  } catch (error) {
    answerError(context, connection, message, error);
  }
  return message;
}

function answerError(
  context: GatewayContext,
  connection: Connection,
  message: PhoenixMessage,
  error: unknown,
): void {
  if (!isPublicError(error)) {
    context.ports.log.error(
      { ref: connection.project.ref, event: message.event, err: error },
      'message failed',
    );
  }
  replyTo(connection, message, 'error', refusal(error));
}

/**
 * A frame that is no message. Closing at once would take down every channel of the client for one bad frame, so it
 * is told, as a reply that belongs to no channel, and closed only when it goes on.
 */
function invalidFrame(context: GatewayContext, connection: Connection, error: unknown): void {
  context.counters.framesInvalid += 1;
  connection.invalidFrames += 1;
  if (connection.invalidFrames > LIMITS.invalidFramesPerSocket) {
    connection.close(CLOSE.invalidFrames);
    return;
  }
  const message = { joinRef: null, ref: null, topic: 'phoenix', event: 'phx_reply', payload: {} };
  replyTo(connection, message, 'error', refusal(error));
}

/** Takes one WebSocket message. Never throws. */
export function receive(
  context: GatewayContext,
  connection: Connection,
  data: Buffer,
  isBinary: boolean,
): void {
  if (connection.closing) return;
  context.counters.framesIn += 1;
  connection.quiet = 0;
  connection.takeToken();
  let message: PhoenixMessage;
  try {
    if (isBinary) {
      handlePush(context, connection, data);
      return;
    }
    message = decodeText(connection.vsn, data.toString('utf8'));
  } catch (error) {
    invalidFrame(context, connection, error);
    return;
  }
  try {
    handle(context, connection, message);
  } catch (error) {
    answerError(context, connection, message, error);
  }
}
