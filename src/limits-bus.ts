/** Every bound of the durable log and of the bus, each with what breaks without it. Milliseconds and bytes unless the name says otherwise. */
export const BUS_LIMITS = {
  // ── log
  /** A segment is the unit of removal, and is read whole when its log is opened. */
  logSegmentBytes: 16 * 1024 * 1024,
  /** Zeros written behind the last frame, for the next ones: none, and each fsync would write metadata too. */
  logZeroBytes: 128 * 1024,
  /** One append, and so one frame, which is held in memory whole when it is read. */
  logAppendBytes: 4 * 1024 * 1024,
  /** Appends that share an fsync; without it those of a burst would all wait for its last byte. */
  logGroupBytes: 1024 * 1024,
  /** Bytes that wait for their fsync; beyond it appends are refused: a disk that stalls would fill the memory. */
  logPendingBytes: 32 * 1024 * 1024,
  /** Bytes between two entries of the index, all of which are in memory. */
  logIndexBytes: 64 * 1024,
  /** Places remembered for readers of a segment; one that comes back elsewhere reads up to logIndexBytes for nothing. */
  logMarks: 32,
  /** A log at rest is sealed after it; until then, damage to its last write passes for a torn one. */
  logSealMs: 20,

  // ── bus
  /** What a durable topic keeps for replay, where it says nothing else. */
  busTopicBytes: 1024 * 1024 * 1024,
  /** The same of a topic in memory. */
  busMemoryBytes: 16 * 1024 * 1024,
  /** Each lane of a consumer reads the whole log by itself. */
  busLanes: 8,
  /** Deliveries of higher lanes after which a waiting lane comes one rank up; without it the lowest would starve. */
  busAgeing: 16,
  /** Newest events of a topic whose ids are known; each takes a hundred bytes of memory. */
  busIds: 65_536,
  busIdBytes: 256,
  /** Durable consumers of a topic: each keeps events from being removed. */
  busConsumers: 1_024,
  /** Deliveries of one consumer without ack, by number and by memory. */
  busInFlight: 8_192,
  busInFlightBytes: 16 * 1024 * 1024,
  /** Newest events of a topic in memory, so that consumers that keep up need not read the log. */
  busTailBytes: 512 * 1024,
  /** Events that a consumer's lane takes from memory, and bytes that it reads from the log, at a time. */
  busPrefetch: 256,
  busReadBytes: 256 * 1024,
  /** How late a consumer's position becomes durable: at each delivery it would cost an fsync. */
  busCheckpointMs: 50,
  /** Positions are written anew, and the old ones removed, when they have grown by so much. */
  busCheckpointBytes: 256 * 1024,
  /** A consumer that neither acks nor naks for so long gets the event again. */
  busAckWaitMs: 30_000,
  /** Deliveries of one event until it becomes a dead letter; without it one that is never acked is tried for ever. */
  busAttempts: 8,
  /** Delay of a redelivery that names none: doubled with each attempt, up to the cap. */
  busRetryMs: 100,
  busRetryCapMs: 30_000,
  /** Longest timer of a consumer; Node's end at 2^31 ms. */
  busTimerMs: 3_600_000,
  /** How often what retention does not keep is removed. */
  busRetainMs: 10_000,
} as const;
