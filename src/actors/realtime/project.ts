import type { ProjectHandle } from '../../protocol/project.ts';
import { looksLikeToken } from '../psu/token-check.ts';
import { ChangeHub } from './change-hub.ts';
import type { Channel } from './channel.ts';
import type { Connection } from './connection.ts';
import type { GatewayContext } from './context.ts';
import { PolicedTables } from './policed-tables.ts';
import { type Topic, topicKey } from './topic.ts';

/** One project's sockets, topics and changes on this edge worker; exists while it has a socket. */
export class Project {
  readonly ref: string;
  /** Replaced when the project's settings or keys change. */
  handle: ProjectHandle;
  readonly connections = new Set<Connection>();
  readonly topics = new Map<string, Topic>();
  readonly changes: ChangeHub;
  readonly policed: PolicedTables;
  readonly #context: GatewayContext;
  readonly #keys = new Map<string, string>();
  readonly #onEmpty: (project: Project) => void;

  constructor(context: GatewayContext, handle: ProjectHandle, onEmpty: (project: Project) => void) {
    this.#context = context;
    this.ref = handle.ref;
    this.handle = handle;
    this.changes = new ChangeHub(context, this);
    this.policed = new PolicedTables(context, this);
    this.#onEmpty = onEmpty;
  }

  /** The same string for all sockets of one key: thousands hold it, and a project has two. */
  intern(apikey: string): string {
    // Of tokens there may be as many as sockets.
    if (looksLikeToken(apikey)) return apikey;
    const known = this.#keys.get(apikey);
    if (known !== undefined) return known;
    this.#keys.set(apikey, apikey);
    return apikey;
  }

  /** Puts an accepted channel among the members of its topic. */
  enter(channel: Channel): void {
    const { isPrivate } = channel.config;
    const key = topicKey(channel.name, isPrivate);
    let topic = this.topics.get(key);
    if (topic === undefined) {
      topic = { key, name: channel.name, isPrivate, members: new Set(), presence: null };
      this.topics.set(key, topic);
    }
    topic.members.add(channel);
    channel.topic = topic;
  }

  /** Takes a channel out of everything it was part of. Idempotent. */
  drop(channel: Channel): void {
    channel.step('LEFT');
    channel.connection.removeChannel(channel);
    this.changes.unsubscribe(channel);
    const { topic } = channel;
    if (topic === null) return;
    this.#context.presence.untrack(channel);
    topic.members.delete(channel);
    channel.topic = null;
    if (topic.members.size === 0 && this.topics.get(topic.key) === topic) this.topics.delete(topic.key);
  }

  /** A connection is gone, or will be after its close frame. Idempotent. */
  forget(connection: Connection): void {
    for (const channel of [...connection.channels.values()]) this.drop(channel);
    if (this.connections.delete(connection) && this.connections.size === 0) this.#onEmpty(this);
  }
}
