import type { CountKind, Query } from '../../../protocol/query.ts';
import type { WireError } from '../../../runtime/placement/wire-error.ts';
import type { IdempotencyClaim } from '../engine.ts';

/** `write`: the one writer of its project at that moment. `read`: beside it. */
export type Lane = 'read' | 'write';

/** What an edge thread asks a storage process to do on one database file. */
export type StorageRequest =
  | {
      readonly op: 'query';
      readonly file: string;
      readonly query: Query;
      /** For the message of a refused write. */
      readonly role: string;
      readonly busyMs: number;
    }
  | {
      readonly op: 'sql';
      readonly file: string;
      readonly statement: string;
      readonly params: readonly unknown[];
      readonly busyMs: number;
    }
  | { readonly op: 'schema'; readonly file: string; readonly busyMs: number }
  /** Begins a transaction with the write lock; `query`, `claim` and `settle` then run in it. */
  | {
      readonly op: 'begin';
      readonly file: string;
      readonly busyMs: number;
      /** On a connection of its own, for `script`s, which must leave nothing of theirs to others. */
      readonly apart?: true;
    }
  | {
      readonly op: 'script';
      readonly file: string;
      readonly statement: string;
      readonly params: readonly unknown[];
    }
  | { readonly op: 'claim'; readonly file: string; readonly claim: IdempotencyClaim; readonly trim: boolean }
  | { readonly op: 'settle'; readonly file: string; readonly key: string; readonly result: string }
  | { readonly op: 'end'; readonly file: string; readonly commit: boolean }
  | { readonly op: 'checkpoint'; readonly file: string };

/** What goes before the body of a reply. */
export type ReplyHeader =
  | {
      readonly ok: true;
      readonly rowCount: number;
      readonly total: number | null;
      readonly totalKind: CountKind | null;
      readonly command: string;
    }
  | { readonly ok: false; readonly error: WireError };

export interface StorageReply {
  readonly rowCount: number;
  readonly total: number | null;
  readonly totalKind: CountKind | null;
  readonly command: string;
  /** Ready JSON. */
  readonly body: string;
}

export interface StorageRunOptions {
  /** Project reference. */
  readonly ref: string;
  readonly lane: Lane;
  /** On the host's monotonic clock of the calling thread; the process is killed when it passes. */
  readonly deadline: number;
  /** Aborting kills the process: nothing else ends a statement of SQLite. */
  readonly signal?: AbortSignal;
}

/** Runs one request in a process that is held. */
export type RunStorage = (request: StorageRequest) => Promise<StorageReply>;

/** A way to storage processes, as an engine sees it. */
export interface StorageClient {
  /**
   * Throws 57014 at the deadline or when aborted, MAG_POOL_TIMEOUT and MAG_OVERLOADED where no process became free,
   * MAG_PROCESS_EXITED where it died, and what the statement itself threw.
   */
  run(request: StorageRequest, options: StorageRunOptions): Promise<StorageReply>;
  /**
   * Keeps one process for all that `work` runs. Where it rejects, or the process dies, what was begun there is undone.
   * Throws what `run` throws.
   */
  hold<Result>(options: StorageRunOptions, work: (run: RunStorage) => Promise<Result>): Promise<Result>;
  /** Ends the sockets; running statements fail. */
  close(): void;
}

export interface LeaseRequest {
  readonly ref: string;
  readonly lane: Lane;
  /**
   * Milliseconds from now until the process is killed, waiting included: clocks of threads have different zeros,
   * so a deadline cannot travel.
   */
  readonly timeoutMs: number;
}

export interface Lease {
  readonly id: number;
  /** Path of the process's Unix socket (a named pipe on Windows). */
  readonly socket: string;
}
