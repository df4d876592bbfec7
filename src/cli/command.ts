/** Where a command reads from and writes to. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether a person reads stdout. */
  readonly interactive: boolean;
  out(text: string): void;
  err(text: string): void;
}

/** One command: a file each, loaded only when it is called. */
export interface Command {
  readonly help: string;
  /** Returns the exit code; throws MagError for what the user must hear. */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

/** What a process of ours ends with. */
export const EXIT = {
  ok: 0,
  /** The board answered, and refused. */
  refused: 1,
  usage: 2,
  bootFailed: 3,
  dataLocked: 4,
} as const;
