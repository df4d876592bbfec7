/** The bounds of the embedded document server, as LIMITS has the others. Milliseconds and bytes unless the name says otherwise. */
export const DOCUMENT_LIMITS = {
  /** MongoDB's own bound of a document, which its drivers rely on. */
  bytes: 16 * 1024 * 1024,
  /** A message as drivers are told; a longer one closes its connection. */
  messageBytes: 48_000_000,
  /** Statements or documents of one write command, as MongoDB's. */
  batch: 100_000,
  /** How long one command has the thread before others get their turn. */
  sliceMs: 5,
  /** Documents and bytes of one slice of a walk: it holds them in memory. */
  sliceRows: 256,
  sliceBytes: 4 * 1024 * 1024,
  /** What a sort or a pipeline may hold; a larger one would take every project's memory. */
  sortBytes: 64 * 1024 * 1024,
  /** Nesting of a filter: it is compiled by recursion. */
  filterDepth: 100,
  /** Stages of a pipeline. */
  stages: 200,
  /** Collections of one database; each is a table, and SQLite's schema is read whole. */
  collections: 2_000,
  /** Indexes of one collection, as MongoDB's. */
  indexes: 64,
  /** Entries of one document in one index: an array has one for each element. */
  indexEntries: 10_000,
  /** Commands that wait for one database's lock; beyond it they are refused. */
  lockWaiters: 512,
  /** How long one waits for it. */
  lockMs: 5_000,
  /** How long a transaction's first read waits to become the writer; then it reads what is committed, and may conflict. */
  snapshotWaitMs: 200,
  /** An open transaction keeps others from writing: it is undone after so long. */
  transactionMs: 20_000,
  /** How long one whose connection broke waits for its client to commit it on another one, as drivers do. */
  orphanMs: 1_000,
  /** Sessions whose last transaction is remembered. */
  sessions: 10_000,
  /** Open cursors of one user, and how long one that nobody reads is kept. */
  cursors: 256,
  cursorMs: 600_000,
  /** The longest that a command may run, whatever its client asks for. */
  commandMs: 60_000,
  /** How long SQLite waits for the lock of a connection of the same process. */
  busyMs: 2_000,
  /** Database files kept open; each costs two descriptors and a page cache. */
  openDatabases: 64,
  /** Connections in all, and those of one user: each holds buffers. */
  connections: 1_024,
  userConnections: 128,
  /** Connections that have not authenticated are closed after so long. */
  loginMs: 10_000,
  /** Messages of one connection that wait for their turn; a driver sends one at a time. */
  pipelined: 64,
  /**
   * How long a pattern or an expression may hold the thread over one slice of documents, and what a pipeline does in
   * memory; then its command fails. Below `stuckMs`, or the process would be killed, and every project with it.
   */
  heldMs: 1_000,
  pipelineMs: 2_000,
  /** A pattern of `$regex`. */
  patternChars: 16_384,
  /** Replies that a client does not read hold memory; beyond it its commands wait. */
  unreadBytes: 64 * 1024 * 1024,
  /** How often the process says that it lives; one that is silent for so long is stuck in a command and is killed. */
  heartbeatMs: 500,
  stuckMs: 5_000,
  /** Remembered retryable writes older than so long are removed: no driver asks for one again. */
  retryMs: 1_800_000,
} as const;
