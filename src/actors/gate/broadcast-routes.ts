import { type Static, Type } from 'typebox';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { EdgePorts } from '../edge/ports.ts';
import type { App } from './fastify-app.ts';
import { admit, type RefParams } from './project-routes.ts';

/** Hands a broadcast to the realtime gateway; `topic` without its `realtime:` prefix, `payload` as JSON text. */
export type Broadcast = (ref: string, topic: string, event: string, payload: string) => void;

const BatchBody = Type.Object({
  messages: Type.Array(
    Type.Object({
      topic: Type.String({ minLength: 1, maxLength: 512 }),
      event: Type.String({ minLength: 1, maxLength: 512 }),
      payload: Type.Optional(Type.Unknown()),
      private: Type.Optional(Type.Boolean()),
    }),
    { minItems: 1, maxItems: 100 },
  ),
});

interface TopicParams extends RefParams {
  readonly topic: string;
  readonly event: string;
}

const PREFIX = 'realtime:';
const bare = (topic: string): string => (topic.startsWith(PREFIX) ? topic.slice(PREFIX.length) : topic);

/** A payload that a socket could not carry is refused here, not cut there. */
function encode(payload: unknown): string {
  const text = JSON.stringify(payload ?? {});
  if (Buffer.byteLength(text) > LIMITS.frameBytes) {
    throw new MagError('MAG_BODY_TOO_LARGE', { limit: LIMITS.frameBytes });
  }
  return text;
}

/** Broadcasts over HTTP, for senders without a socket. `broadcast` gives null while no gateway runs. */
export function broadcastRoutes(app: App, ports: EdgePorts, broadcast: () => Broadcast | null): void {
  const gateway = (): Broadcast => {
    const found = broadcast();
    if (found === null) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'realtime' });
    return found;
  };
  app.post<{ Params: RefParams; Body: Static<typeof BatchBody> }>(
    '/p/:ref/realtime/v1/api/broadcast',
    { schema: { body: BatchBody } },
    async (request, reply) => {
      const { project } = await admit(ports, request, reply);
      const send = gateway();
      const messages = request.body.messages.map(({ topic, event, payload }) => ({
        topic: bare(topic),
        event,
        payload: encode(payload),
      }));
      for (const { topic, event, payload } of messages) send(project.ref, topic, event, payload);
      return reply.status(202).send();
    },
  );
  app.post<{ Params: TopicParams; Body: unknown }>(
    '/p/:ref/realtime/v1/api/broadcast/:topic/events/:event',
    async (request, reply) => {
      const { project } = await admit(ports, request, reply);
      const { topic, event } = request.params;
      gateway()(project.ref, bare(topic), event, encode(request.body));
      return reply.status(202).send();
    },
  );
}
