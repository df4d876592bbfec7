import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { stringifyExact } from '../../protocol/exact-json.ts';
import type { JsonValue } from '../../protocol/query.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { type BroadcastBody, broadcastBody } from './admin-schemas.ts';
import type { App } from './fastify-app.ts';
import { admit, type RefParams, searchOf } from './project-routes.ts';
import type { RestCall } from './rest-call.ts';

/**
 * Hands a broadcast to the realtime gateway; `topic` without its `realtime:` prefix, `payload` as JSON text. A private
 * channel is another one than the public one of its name.
 */
export type Broadcast = (
  ref: string,
  topic: string,
  event: string,
  payload: string,
  options?: { readonly isPrivate?: boolean },
) => void;

interface TopicParams extends RefParams {
  readonly topic: string;
  readonly event: string;
}

const PREFIX = 'realtime:';
const bare = (topic: string): string => (topic.startsWith(PREFIX) ? topic.slice(PREFIX.length) : topic);

/** A payload that a socket could not carry is refused here, not cut there. */
function encode(payload: JsonValue | undefined): string {
  const text = stringifyExact(payload ?? {});
  if (Buffer.byteLength(text) > LIMITS.frameBytes) {
    throw new MagError('MAG_BODY_TOO_LARGE', { limit: LIMITS.frameBytes });
  }
  return text;
}

interface Outgoing {
  readonly topic: string;
  readonly event: string;
  readonly payload: string;
  readonly isPrivate: boolean;
}

/** Throws MAG_CHANNEL_PRIVATE, before anything is sent, where a private channel is named by nobody in particular. */
function publish(send: Broadcast, call: RestCall, messages: readonly Outgoing[]): void {
  const { role } = call.principal;
  const refused = role === 'anon' ? messages.find(({ isPrivate }) => isPrivate) : undefined;
  if (refused !== undefined) throw new MagError('MAG_CHANNEL_PRIVATE', { topic: refused.topic, role });
  for (const { topic, event, payload, isPrivate } of messages) {
    if (isPrivate) send(call.project.ref, topic, event, payload, { isPrivate });
    else send(call.project.ref, topic, event, payload);
  }
}

/** Broadcasts over HTTP, for senders without a socket. `broadcast` gives null while no gateway runs. */
export function broadcastRoutes(app: App, ports: EdgePorts, broadcast: () => Broadcast | null): void {
  const gateway = (): Broadcast => {
    const found = broadcast();
    if (found === null) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'realtime' });
    return found;
  };
  app.post<{ Params: RefParams; Body: BroadcastBody }>(
    '/p/:ref/realtime/v1/api/broadcast',
    { schema: { body: broadcastBody } },
    async (request, reply) => {
      const call = await admit(ports, request, reply);
      const send = gateway();
      const messages = request.body.messages.map((message) => ({
        topic: bare(message.topic),
        event: message.event,
        payload: encode(message.payload),
        isPrivate: message.private === true,
      }));
      publish(send, call, messages);
      return reply.status(202).send();
    },
  );
  app.post<{ Params: TopicParams; Body: JsonValue | undefined }>(
    '/p/:ref/realtime/v1/api/broadcast/:topic/events/:event',
    async (request, reply) => {
      const call = await admit(ports, request, reply);
      const { topic, event } = request.params;
      const isPrivate = new URLSearchParams(searchOf(request.url)).get('private') === 'true';
      publish(gateway(), call, [{ topic: bare(topic), event, payload: encode(request.body), isPrivate }]);
      return reply.status(202).send();
    },
  );
}
