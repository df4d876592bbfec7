/** Every bound in the system, each with what breaks without it. Milliseconds and bytes unless the name says otherwise. */
export const LIMITS = {
  // ── HTTP
  /** A body is held in memory while it is parsed; without a bound one client takes the process. */
  bodyBytes: 10 * 1024 * 1024,
  /** Without it a client that trickles its headers holds a socket for ever (slowloris). */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 72_000,
  /** Sockets that have not sent a whole request yet, over all edge workers; the oldest gives way to the newest. */
  halfOpenSockets: 4_096,
  /** Sockets in all, over all edge workers; more would end in EMFILE inside the database drivers. */
  connections: 16_384,
  /** Longest path plus query; Node's own header limit is 16 KiB. */
  urlBytes: 12_288,
  /** Of headers that SQL of a project adds to a reply; common clients refuse replies whose headers exceed 16 KiB. */
  responseHeaderBytes: 8_192,
  /** Sockets the kernel holds until they are accepted; a burst of connects beyond it is retried by TCP. */
  backlog: 2_048,
  /** A socket on which nothing moved for so long is closed: a client that stopped reading its reply holds it in memory. */
  socketIdleMs: 60_000,
  /** From this size on a reply counts against pendingReplyBytes. */
  largeReplyBytes: 1024 * 1024,
  /** Bytes of large replies per edge worker that clients have not read yet. */
  pendingReplyBytes: 256 * 1024 * 1024,
  /** How often Node looks for sockets past their headers or request timeout. */
  socketCheckMs: 2_000,
  /** Longest key or token that is looked at; a longer one would be hashed for nothing. */
  credentialBytes: 4_096,
  /** How long a right admin credential is taken for right without asking the main thread again. */
  adminVerifyMs: 60_000,
  /** Right admin credentials remembered per edge worker. */
  adminCredentials: 64,
  /** Admin credentials being verified at once per edge worker; guessing must not keep the main thread busy. */
  adminVerifications: 16,
  /** Files and bytes of MagUI that an edge worker holds in memory. */
  uiFiles: 500,
  uiBytes: 16 * 1024 * 1024,

  // ── grammar
  /** Terms and nesting of a filter; a deep one costs the engine's planner exponential time. */
  filterTerms: 256,
  filterDepth: 16,
  selectItems: 1_000,
  /** Tables embedded in a select, and how deep: each is a join, whose number the engine's planner pays for exponentially. */
  embeds: 32,
  embedDepth: 8,
  /** Steps of one JSON path. */
  jsonPathSteps: 32,
  orderTerms: 32,
  inListItems: 2_000,
  /** Parsed selects, orders and preference headers remembered per worker; the texts come from clients. */
  grammarCacheEntries: 512,
  /** Rows in one bulk insert, and in all inserts of one transaction. */
  insertRows: 10_000,
  /** Operations of one transaction: until its last one is done it holds a connection, and on SQLite the write lock. */
  transactionOperations: 100,
  /** How long a write is remembered under its idempotency key: clients retry for hours, not for days. */
  idempotencyMs: 24 * 3_600_000,
  /** Newest idempotency records of a project; the oldest go first. Each takes its result's bytes in the database. */
  idempotencyRecords: 100_000,
  /** Largest result that is remembered with its rows; of a larger one a retry is told that it happened. */
  idempotencyBytes: 64 * 1024,
  /** Longest Idempotency-Key, in characters; a UUID has 36. */
  idempotencyKeyChars: 255,
  /** Records that have expired and are removed with each new one: one would keep pace, more catch up; many would make it slow. */
  idempotencySweep: 4,
  /** New records of a session between two looks at how many there are: a look counts all of them. */
  idempotencyTrimEvery: 1_024,
  /** How long a retry waits for the first request to end, and how often it looks where it cannot be told. */
  idempotencyWaitMs: 5_000,
  idempotencyPollMs: 50,
  /** Retries of one worker that wait; more would be sockets and memory for nothing. */
  idempotencyWaiters: 1_024,
  /** Longest name of a table, schema or column in a transaction; PostgreSQL's have 63 bytes, SQLite's no bound. */
  nameChars: 256,
  /** Arrays and objects inside each other in a body: SQLite's own bound for JSON; serializers walk values by recursion. */
  jsonDepth: 1_000,
  /** Rows one REST reply may hold when the client asks for no limit (PostgREST's db-max-rows). */
  maxRows: 100_000,
  /** Rows up to which count=estimated counts: a few milliseconds. Beyond it says what the planner expects. */
  exactCountRows: 1_000,
  resultBytes: 64 * 1024 * 1024,
  /** Compiled plans kept per project session. */
  planCacheEntries: 512,

  // ── storage
  /** A statement that runs longer is cancelled at the engine. */
  statementTimeoutMs: 15_000,
  /** Rows a plan may touch on an edge thread: node:sqlite cannot be interrupted there. */
  inlineRows: 1_000,
  /** Longest SQLite string or blob; without it one row blocks an edge thread for seconds. */
  sqliteValueBytes: 16 * 1024 * 1024,
  /**
   * Longest value or row that an edge thread's own connection reads or writes; SQLite stops at it. A page of a hundred
   * rows that grew to megabytes each would end the thread before anybody had added up their size.
   */
  inlineValueBytes: 256 * 1024,
  /** Text of one SQL statement or script; SQLite's parser holds all of it. */
  sqlBytes: 8 * 1024 * 1024,
  /** A LIKE or GLOB pattern with many wildcards costs time exponential in them. */
  likePatternBytes: 4_096,
  /** Triggers that fire triggers; a longer chain is a loop and would fill the stack. */
  sqliteTriggerDepth: 100,
  /** Rows of one insert that an edge thread writes itself; more would hold its other requests up. */
  inlineInsertRows: 100,
  /** Values of an IN list over a key that an edge thread looks up itself. */
  inlineListItems: 100,
  /** JSON bytes an edge thread reads itself; a plan that gave more goes to a storage process from then on. */
  inlineResultBytes: 1024 * 1024,
  /** Schema objects an edge thread reads itself when the schema changed. */
  inlineSchemaObjects: 2_000,
  /** Storage processes one project may hold; without it one tenant's slow statements stop everybody's. */
  storageProcessesPerProject: 2,
  /** Rows of a native SQL result; beyond it the statement fails, since a cut would look like the truth. */
  sqlRows: 100_000,
  /** Memory of a storage process: SQLite has no bound of its own, and one statement can ask for all there is. */
  storageProcessBytes: 1024 * 1024 * 1024,
  /** How often the memory of a busy storage process is looked at. */
  storageMemoryCheckMs: 100,
  /** Database files a storage process keeps open between statements. */
  storageProcessFiles: 8,
  /** How long a write that met SQLITE_BUSY tries again on its edge before it queues at the single writer. */
  busyRetryMs: 20,
  storageProcesses: 4,
  storageProcessIdleMs: 30_000,
  /** Statements that wait for a storage process; beyond it callers get 503. */
  storageQueue: 256,
  /** WAL pages after which the writer checkpoints; without it the WAL grows with every write. */
  checkpointPages: 1_000,
  poolConnections: 10,
  poolIdleMs: 30_000,
  poolWaitMs: 5_000,
  poolWaiters: 512,
  /** Calls in ten seconds, half of them without a connection, after which an engine's server is given a rest. */
  engineCircuitCalls: 5,
  /** How long that rest is at first, and at most: an engine that was restarted is back within a second. */
  engineCircuitOpenMs: 500,
  engineCircuitOpenCapMs: 5_000,
  /** Calls let through to find out; each may be a slow statement, which must not keep the others out. */
  engineCircuitProbes: 5,
  /** Server addresses whose circuits are kept; a managed server that restarts may come up at another one. */
  engineCircuits: 64,
  /**
   * Text of the related rows of one row on MySQL, which cuts a longer one; a row that long is refused. Under the server's
   * largest packet, which would cut it unnoticed.
   */
  mysqlGroupBytes: 8 * 1024 * 1024,
  /** Statements kept prepared per MySQL connection; a server has room for 16,382 over all of them. */
  mysqlPreparedStatements: 128,
  /** Sorts and hashes of one PostgreSQL session that spill; without it one statement fills the disk. */
  tempFileBytes: 1024 * 1024 * 1024,
  /** Least time between two looks for DDL that others did; without it each request would pay for one. */
  schemaCheckMs: 1_000,
  /** After a look it rests so many times what it took, up to a cap: the looks of many projects are one server's work. */
  schemaCheckRest: 100,
  schemaCheckCapMs: 4_000,
  /** Tables of a project that the grammar sees; each edge worker keeps their columns in memory. */
  schemaTables: 10_000,
  /** Collections of a document project that are sampled for what their columns are; each costs two commands. */
  sampledCollections: 200,
  /** Names of a project's own types kept per session. */
  knownTypes: 1_000,
  /** How long statements of a session that closes may go on: most take milliseconds, one may take its deadline. */
  sessionCloseMs: 1_000,
  /** A statement that ignores its cancellation for so long loses its backend. */
  cancelGraceMs: 1_000,
  /** How often running statements are held against their deadline, and replies against their size. */
  statementSweepMs: 25,
  /** Open project sessions per edge worker; the least recently used one closes. */
  projectSessions: 256,
  projects: 10_000,
  /** How long a board that stops waits until databases made ahead are gone; what is left is removed by the next boot. */
  spareDropMs: 1_000,
  /** How long after a project the next one's database is made; at once where they are asked for faster than that. */
  spareAfterMs: 1_000,

  // ── feed and realtime
  /** Rows of a project's change log; older ones are trimmed and a resume from them is refused. */
  feedRows: 100_000,
  /** Rows of a table that appears which are logged as INSERTs; beyond it its followers start over (a new epoch). */
  feedBackfillRows: 1_000,
  /** Rows trimmed in one transaction: more would hold the project's write lock noticeably. */
  feedTrimRows: 512,
  /** A project file is looked at so often while followed: file notices can be missed, and name no commit. */
  feedPollMs: 200,
  /** The same while nobody follows: only to trim and to follow the schema. */
  feedIdlePollMs: 10_000,
  /** How long the feed waits for a project's write lock before it gives up and reports. */
  feedLockMs: 10_000,
  /** Changes of one PostgreSQL transaction held in memory; beyond it they go to the feed's file before the commit. */
  feedTransactionRows: 1_000,
  /** How often the log is made durable and its position confirmed to PostgreSQL; WAL is pinned for so long. */
  feedConfirmMs: 1_000,
  /**
   * How often a followed PostgreSQL feed pokes its walsender, which can miss the flush it waits for (it checks, then
   * goes to sleep) and would sleep on until something else wakes it.
   */
  feedPokeMs: 50,
  /** The same after a write of our own that was not heard of at once. */
  feedNudgeMs: 2,
  /** How often an edge asks the feed whether it still knows its subscriptions. */
  feedHeartbeatMs: 1_000,
  feedBatch: 256,
  /** Text of the rows in one batch of changes (one change may be longer): batches cross threads by copy. */
  feedBatchBytes: 2 * 1024 * 1024,
  /** Text of the newest changes that a PostgreSQL feed keeps in memory, and of an open transaction before it spills. */
  feedTailBytes: 8 * 1024 * 1024,
  feedCredit: 1_024,
  /** WAL that a slot nobody reads may pin; beyond it PostgreSQL invalidates the slot and a new epoch begins. */
  slotWalBytes: 1024 * 1024 * 1024,
  frameBytes: 1024 * 1024,
  channelsPerSocket: 100,
  bindingsPerChannel: 100,
  /** Text of all bindings on a socket: each is kept as a parsed filter and held against every change of its table. */
  bindingBytesPerSocket: 256 * 1024,
  /** Bytes a slow consumer may have waiting before it is closed with 3008. */
  outboxBytes: 4 * 1024 * 1024,
  /** Bytes that wait for the end of the turn; more are handed to the socket at once, so that a burst can drain. */
  outboxTurnBytes: 256 * 1024,
  socketsPerProject: 10_000,
  /** A socket that sent nothing for so long is gone (clients beat every 25 s). */
  socketSilenceMs: 60_000,
  presencePayloadBytes: 32 * 1024,
  /** All presence payloads of one topic: its presence_state must fit well inside an outbox. */
  presenceTopicBytes: 1024 * 1024,
  /** Frames a client may send; beyond the burst its socket is not read until the bucket has filled again. */
  socketMessagesPerSecond: 5_000,
  socketMessageBurst: 10_000,
  /** Shortest time a socket is not read; a timer for every message beyond the rate would cost more than the message. */
  throttlePauseMs: 20,
  /** Frames that are no Phoenix message; a client that sends more is broken and is closed with 1007. */
  invalidFramesPerSocket: 16,
  /** Changes kept for a consumer out of credit under drop_oldest. */
  creditBuffer: 256,
  /** Most credit one consumer can hold; more would mean no backpressure at all. */
  creditMax: 1_000_000,
  /** A channel topic is a map key and part of every frame sent to it (one length byte in a binary frame). */
  topicBytes: 255,
  /** How long a replay waits for its reader, or for the feed, before it looks again. */
  replayPauseMs: 20,
  /** How long a slow consumer may take to read its close frame before its socket is cut. */
  slowConsumerGraceMs: 5_000,
  /** Connections one flush writes before the event loop reads again; each write costs microseconds. */
  flushSockets: 1_024,
  /** A gateway that said nothing for so long is gone, and its presences leave. */
  presenceSilenceMs: 60_000,

  // ── actors
  mailbox: 1_024,
  /** Messages of a thread that wait while what they are for is restarted; beyond it callers get 503. */
  parkedMessages: 4_096,
  /** How often a component is asked for its health, and how long it may take to answer. */
  healthIntervalMs: 5_000,
  healthTimeoutMs: 5_000,
  /** How long a remote subtree may take to describe itself; later it is shown as not answering. */
  treeTimeoutMs: 1_000,
  /** A restart on request waits for the stop and the start of what it restarts. */
  commandTimeoutMs: 40_000,
  /** Messages on their way to another thread that it has not taken yet; beyond it a stalled thread would fill memory. */
  linkWindow: 16_384,
  /** Messages of one turn that leave together, and the bytes of their text or records: the other end works meanwhile. */
  portBatch: 512,
  portBatchBytes: 64 * 1024,
  /** Actors that one end of a link knows by number; beyond it the numbers of idle ones are forgotten. */
  portTargets: 16_384,
  /** How long a subtree that moves may take to come to rest; until then what is sent to it waits. */
  moveDrainMs: 5_000,
  /** Threads of one trust class; a task beyond Piscina's maxThreads would wait silently for ever. */
  poolThreads: 64,
  /** Old-generation heap of a worker thread; without it one that leaks takes the whole process with it. */
  workerHeapMb: 512,
  /** Spare workers are loaded so long after everything that starts is up: at once, they would slow it down. */
  spareDelayMs: 50,
  /** A thread that ends rests so long first: taking it down costs milliseconds of processor that its replacement needs. */
  restMs: 20,
  askTimeoutMs: 5_000,
  /** The longest timer that Node keeps, 24.8 days: beyond it a timer fires at once. */
  timerMs: 2 ** 31 - 1,
  startTimeoutMs: 30_000,
  shutdownMs: 5_000,
  /** A worker that does not beat for so long spins for ever and is terminated; with two beats it is found within 2 s. */
  heartbeatMs: 250,
  hungMs: 1_500,
  /** Processor time a thread may use without a beat; one that was starved on a busy machine has used little. */
  spinMs: 1_000,
  /** After so long without a beat a thread is given up whatever it does: it is blocked. */
  blockedMs: 20_000,
  deadLetters: 1_000,
  /** Sets of active states of one machine whose transitions are remembered: parallel states multiply them. */
  memoConfigurations: 1_024,
  /** Event types remembered for each of them: they may come from outside. */
  memoEventTypes: 256,
  restartIntensity: 5,
  restartWithinMs: 60_000,
  /** Between two looks at an external server that serves: for so long /readyz may not know that it no longer does. */
  externalLookMs: 30_000,
  backoffBaseMs: 50,
  backoffCapMs: 10_000,
  /** A part that ran for so long is taken for healthy again: its next backoff starts from the base. */
  backoffResetMs: 30_000,
  /** Restarts of the board's parts within boardRestartsWithinMs; over it the board gives up: no restart will help. */
  boardRestarts: 30,
  /** With the backoff's cap, a part that crashes whenever it comes up restarts some fifty times in so long. */
  boardRestartsWithinMs: 300_000,
  /** Restarts within one branch of the board (its engines, its edge workers) in restartWithinMs. */
  branchRestarts: 12,
  /** Messages of a thread between two turns of its timers and sockets; more would shut those out. */
  runQueueQuantum: 512,
  /** Quanta in a row where they take less than runQueueMs: a thread would else read the next parcel of a busy link
   *  before it has handled the last one. */
  runQueueQuanta: 16,
  runQueueMs: 1,

  // ── flows and links
  /** Items that wait where a policy was named without a capacity; a source that cannot wait would fill memory. */
  flowBuffer: 1_024,
  /** Items of a flow in one message to another thread or socket; more would keep its receiver idle while they gather. */
  linkBatchItems: 256,
  /** Bytes of records gathered for one message; larger ones fall out of the processor's cache before they are read. */
  linkBatchBytes: 64 * 1024,
  /** A frame of a link that a socket carries: it is decoded as a whole, in memory, on the event loop. */
  linkFrameBytes: 1024 * 1024,
  /** Credit one receiver may grant ahead; a peer that grants all there is would make the sender's memory the buffer. */
  linkCreditItems: 65_536,
  /** Bytes handed to a link's socket and not sent yet, beyond which its flow is asked for no more. */
  linkSocketBytes: 1024 * 1024,

  // ── inspection and logs
  scopeFrames: 1_024,
  scopeIntervalMs: 100,
  /** Between two looks at a tree that did not change; faster would burn a core's percent for nothing to show. */
  scopeQuietMs: 250,
  /** How often an edge tells the hub that it still looks; a restarted hub is found again within it. */
  scopeRenewMs: 2_000,
  /** An edge that was not heard of for so long is dead; without it the hub would watch for nobody. */
  scopeLeaseMs: 10_000,
  /** Inspector sockets per edge worker; each costs a tree's worth of frames. */
  scopeSockets: 64,
  scopePingMs: 25_000,
  /** A peer that does not answer a close is cut off after it, else its socket stays for ever. */
  socketCloseMs: 2_000,
  auditReadEntries: 1_000,
  errorTextBytes: 2_048,

  // ── boot
  drainSeconds: 10,
  bootStageMs: 60_000,
  /** Optional components that failed are tried again with these delays; without a cap a dead engine is probed in a loop. */
  bootRetryBaseMs: 1_000,
  bootRetryCapMs: 60_000,
  /** Below this a commit may fail in the middle of serving; refusing to boot says so while nothing is lost yet. */
  diskFreeBytes: 64 * 1024 * 1024,
  /** Log lines that wait for a slow reader of stdout; beyond it lines are dropped and counted. */
  logBufferBytes: 4 * 1024 * 1024,
  /** How long an end waits for the reader of stdout; one that reads no more would keep the board from ending. */
  logFlushMs: 1_000,

  // ── secrets, audit, catalogue
  /** Credentials of one project: each is a user that its server has to keep. */
  projectCredentials: 16,
  /** Connections of one credential: a tool that leaks them must not take the server's from the board. */
  credentialConnections: 8,
  /** Refused console logins that the audit trail tells one by one in so long: a stranger must not fill the disk. */
  refusedSessions: 10,
  refusedSessionsMs: 60_000,
  credentialChars: 512,
  /** A longer token would not fit among the headers; it is parsed before it is believed. */
  tokenBytes: 8_192,
  /** Verified tokens remembered per project and edge worker; beyond it the oldest is verified anew. */
  verifiedTokens: 256,
  /** Longest life of a token that an operator makes: one that leaked ends some day by itself. */
  tokenSeconds: 366 * 86_400,
  loginTickets: 16,
  loginTicketMs: 10 * 60_000,
  consoleSessionMs: 12 * 3_600_000,
  /** Signed-out console sessions remembered; beyond it the oldest is valid again until its end. */
  closedSessions: 1_000,
  /** Audit entries that wait for their fsync; beyond it the action that wants one is refused. */
  auditQueue: 1_024,
  /** How much of the newest audit file is checked at boot; the whole trail is checked by verify(). */
  auditTailBytes: 1024 * 1024,
  projectNameChars: 63,
  /** Grants of one project; each is compiled into every plan of its table. */
  grants: 256,
  grantUsingChars: 4_096,
  /** Schemas that a project exposes beside `public`; an error names them all. */
  schemas: 16,
  /** PostgreSQL's longest name has 63 bytes; SQLite's have no bound. */
  grantTableChars: 128,

  // ── command line
  cliTimeoutMs: 30_000,
  /** Rows of an import or export in one request: each is held in memory, and is one transaction. */
  transferRows: 10_000,
} as const;
