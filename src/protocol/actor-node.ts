/** One actor as the inspector and GET /admin/v1/actors show it. */
export interface ActorNode {
  /** Path from the board's root, `board/edges/edge-1/gate`. */
  readonly path: string;
  readonly name: string;
  readonly kind: 'supervisor' | 'component' | 'worker' | 'process' | 'actor';
  /** The statechart's state value as text, `healthy` or `backing_off.storage`. */
  readonly state: string;
  readonly status: 'starting' | 'running' | 'restarting' | 'paused' | 'stopping' | 'stopped' | 'failed';
  readonly restarts: number;
  readonly mailbox: { readonly depth: number; readonly capacity: number; readonly dropped: number };
  readonly placement: { readonly thread: string; readonly process: number; readonly node: string };
  /** ISO 8601, UTC: since when this incarnation runs. */
  readonly since: string;
  readonly lastError: string | null;
  /** Messages handled by this incarnation. */
  readonly handled: number;
  readonly incarnation: number;
  readonly children: readonly ActorNode[];
}

export const ACTOR_COMMANDS = ['crash', 'restart', 'stop', 'pause', 'resume'] as const;
export type ActorCommand = (typeof ACTOR_COMMANDS)[number];

/** MagScope frames, JSON over WebSocket, server to client. The first one is always a snapshot. */
export type ScopeFrame =
  | { readonly type: 'snapshot'; readonly seq: number; readonly at: string; readonly tree: ActorNode }
  /** Nodes that changed since the last frame (without their children), and paths that are gone. */
  | {
      readonly type: 'delta';
      readonly seq: number;
      readonly at: string;
      readonly upsert: readonly Omit<ActorNode, 'children'>[];
      readonly gone: readonly string[];
    }
  | { readonly type: 'event'; readonly seq: number; readonly at: string; readonly event: LifecycleEvent };

/** What happens in an actor's life; the scope, the audit trail and the metrics all take it from here. */
export interface LifecycleEvent {
  readonly type:
    | 'started'
    | 'ready'
    | 'failed'
    | 'backing_off'
    | 'restarted'
    | 'stopped'
    | 'escalated'
    | 'command';
  readonly path: string;
  readonly reason: string | null;
  /** For backing_off: how long until the next try, in milliseconds. */
  readonly delay: number | null;
}
