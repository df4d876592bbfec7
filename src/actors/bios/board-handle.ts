/** How `startBoard` is told to start, beside the configuration. */
export interface StartBoardOptions {
  /** Aborted when the operator wants to stop before the board is up: give the boot up and reject. */
  readonly signal: AbortSignal;
  /** A person reads stdout: banner and readable log there. Else stdout carries JSON lines, the banner goes to stderr. */
  readonly interactive: boolean;
}

/** A running board, as the command line holds it. */
export interface Board {
  readonly url: string;
  /** Drains and stops everything; resolves when nothing is left, logs flushed, lock released. Idempotent. */
  stop(reason: string): Promise<void>;
  /** Resolves with the reason when the board cannot go on (its root supervisor gave up). Never rejects. */
  readonly failed: Promise<unknown>;
}
