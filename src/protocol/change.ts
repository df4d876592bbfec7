import type { Row } from './query.ts';

/** A position in a project's change feed. Offsets grow by commit order; an epoch ends when continuity is lost. */
export interface FeedPosition {
  readonly epoch: string;
  readonly offset: number;
}

export interface ChangeColumn {
  readonly name: string;
  /** The engine's type name; PostgreSQL's names where they fit, since realtime clients decode by them. */
  readonly type: string;
}

/** One row change as the engine's own log reports it. */
export interface Change {
  readonly offset: number;
  readonly type: 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE';
  readonly schema: string;
  readonly table: string;
  /** ISO 8601 with microseconds or milliseconds, UTC. */
  readonly commitTimestamp: string;
  readonly columns: readonly ChangeColumn[];
  /** The row after the change; null for DELETE and TRUNCATE. */
  readonly record: Row | null;
  /** The whole row before it; null for INSERT and TRUNCATE. */
  readonly old: Row | null;
}
