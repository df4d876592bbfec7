import type { ScopeFrame } from '../../protocol/actor-node.ts';

// What an edge worker and the scope hub say to each other across the thread: types, not interfaces, since a
// Message has an index signature. All of it is cloneable.

/** Asked: begins the edge's one upstream, in place of an earlier one of the same path. Reply: ScopeReply. */
export type ScopeOpen = {
  readonly type: 'SCOPE_OPEN';
  /** Where frames are sent: the edge's actor. */
  readonly path: string;
  /** Told apart from an earlier upstream of the same path. */
  readonly id: string;
};

/**
 * Asked: grants `frames` more, and says that the edge is still there. `refresh` asks for a fresh snapshot, for a
 * listener that joined late. Reply: ScopeReply; where `known` is false the hub restarted, and the edge opens again.
 */
export type ScopeCredit = {
  readonly type: 'SCOPE_CREDIT';
  readonly path: string;
  readonly id: string;
  readonly frames: number;
  readonly refresh: boolean;
};

/** Sent: nobody looks any more. */
export type ScopeClose = {
  readonly type: 'SCOPE_CLOSE';
  readonly path: string;
  readonly id: string;
};

export type ScopeReply = { readonly known: boolean };

/** Sent by the hub to the edge's actor. */
export type ScopePush = {
  readonly type: 'SCOPE_FRAME';
  readonly id: string;
  readonly frame: ScopeFrame;
};
