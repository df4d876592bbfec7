import type { ScopeFrame } from '../../protocol/actor-node.ts';
import type { AdminPort } from '../../protocol/admin.ts';
import type { BoardStatus } from '../../protocol/board-status.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { Host } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import type { FeedClient } from '../feed/feed-log.ts';
import type { Engine } from '../storage/engine.ts';

/** Projects as an edge worker knows them: cached, and told of every change by the catalogue. */
export interface ProjectDirectory {
  /** Null where no such project is ready. A hit is answered in the same turn. */
  find(ref: string): ProjectHandle | null | Promise<ProjectHandle | null>;
  /** Fires when a project was changed, dropped, or its keys rotated. */
  onChange(listener: (ref: string) => void): () => void;
}

/** Open database sessions of this edge worker: one per project, opened on first use, the least used one closed. */
export interface EngineSessions {
  open(project: ProjectHandle): Engine | Promise<Engine>;
}

/** What the gate and the realtime gateway of one edge worker are built from. */
export interface EdgePorts {
  readonly host: Host;
  readonly log: Log;
  /** `edge-1`, … */
  readonly name: string;
  readonly admin: AdminPort;
  readonly directory: ProjectDirectory;
  readonly sessions: EngineSessions;
  readonly feed: FeedClient;
  /** The board's state as last pushed by the main thread; answered without asking anybody. */
  readonly status: () => BoardStatus;
  /** MagScope frames from the main thread while the returned function has not been called. */
  readonly scope: (listener: (frame: ScopeFrame) => void) => () => void;
  /** Sends a broadcast to the other edge workers' realtime gateways. */
  readonly relay: {
    publish(message: RelayMessage): void;
    onMessage(listener: (message: RelayMessage) => void): void;
  };
}

/** What realtime gateways tell each other: broadcasts and presence. Cloneable. */
export interface RelayMessage {
  /** Absent: a broadcast. `presence`: `payload` is JSON that only gateways read, and may reach none. */
  readonly kind?: 'presence';
  /** Whether the channel is a private one; a public channel of the same name is another. */
  readonly isPrivate?: boolean;
  readonly ref: string;
  /** Channel topic without the `realtime:` prefix. */
  readonly topic: string;
  readonly event: string;
  /** JSON text of the payload, or the bytes of a binary broadcast. */
  readonly payload: string | Uint8Array;
}
