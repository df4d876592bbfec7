import { type ChannelEvent, type ChannelState, nextChannelState } from '../../machines/channel.ts';
import type { Principal } from '../../protocol/principal.ts';
import type { JsonValue } from '../../protocol/query.ts';
import type { JoinConfig } from '../../protocol/realtime-config.ts';
import type { ChangeGroup } from './change-group.ts';
import type { Connection } from './connection.ts';
import type { Consumer } from './consumer.ts';
import { TOPIC_PREFIX, type Topic } from './topic.ts';

/** A key that equal principals share. */
export function principalKey(principal: Principal): string {
  const claims = Object.entries(principal.claims).sort(([left], [right]) => (left < right ? -1 : 1));
  return claims.length === 0 ? principal.role : `${principal.role} ${JSON.stringify(claims)}`;
}

/** One joined (or joining) topic of one connection. */
export class Channel {
  readonly connection: Connection;
  /** As the client named it, `realtime:room`. */
  readonly fullTopic: string;
  readonly joinRef: string | null;
  readonly config: JoinConfig;
  principal: Principal;
  state: ChannelState = 'joining';
  topic: Topic | null = null;
  /** Whether it is told of presences. */
  presence: boolean;
  /** What its presences are filed under; made up at the first one where the client named none. */
  presenceKey: string;
  /** Its own tracked presence. */
  presenceRef: string | null = null;
  /** Those it shares changes with; null without postgres_changes. */
  group: ChangeGroup | null = null;
  /** Position and credit, for a client that asked for them. */
  consumer: Consumer | null = null;

  constructor(
    connection: Connection,
    fullTopic: string,
    joinRef: string | null,
    config: JoinConfig,
    principal: Principal,
  ) {
    this.connection = connection;
    this.fullTopic = fullTopic;
    this.joinRef = joinRef;
    this.config = config;
    this.principal = principal;
    this.presence = config.presence;
    this.presenceKey = config.presenceKey;
  }

  get name(): string {
    return this.fullTopic.slice(TOPIC_PREFIX.length);
  }

  step(event: ChannelEvent): void {
    this.state = nextChannelState(this.state, event);
  }

  reply(ref: string | null, status: 'ok' | 'error', response: JsonValue): void {
    this.connection.send({
      joinRef: this.joinRef,
      ref,
      topic: this.fullTopic,
      event: 'phx_reply',
      payload: { status, response },
    });
  }

  push(event: string, payload: JsonValue): void {
    this.connection.send({ joinRef: this.joinRef, ref: null, topic: this.fullTopic, event, payload });
  }

  /** Tells how a part of the channel fares; clients hand it to their `system` listeners. */
  system(
    extension: string,
    status: 'ok' | 'error',
    message: string,
    more: { [key: string]: JsonValue } = {},
  ): void {
    this.push('system', { extension, status, message, channel: this.name, ...more });
  }

  /** `phx_close` ends it for good; after `phx_error` a client joins again by itself. */
  pushEnd(event: 'phx_close' | 'phx_error'): void {
    this.connection.send({
      joinRef: this.joinRef,
      ref: this.joinRef,
      topic: this.fullTopic,
      event,
      payload: {},
    });
  }
}
