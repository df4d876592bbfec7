/** The bounds of documents in Redis, as LIMITS has the others. Milliseconds unless the name says otherwise. */
export const REDIS_LIMITS = {
  /** Commands of a project on their way in one worker; a server that stopped answering would fill memory with more. */
  pendingCommands: 4_096,
  /**
   * Of those, commands that are sent; the others wait in the worker. Redis carries out whatever one connection has sent
   * before it looks at the next: with all of them, a quiet project's command would wait for all of a busy one's.
   */
  sentCommands: 8,
  /** Documents that one write changes: it is one step, and the server serves nobody else meanwhile. */
  writtenDocuments: 10_000,
  /** Documents held to sort them; more would hold up the edge's other requests, too. */
  sortedDocuments: 20_000,
  /** How often a write that met another one is tried again, in turn with the others of its worker. */
  writeTries: 64,
  /** A key's length; the id stands in three of them. */
  idChars: 512,
  /** Indexes of a collection; each write keeps them all. */
  collectionIndexes: 16,
  /** Collections, documents of each and fields that a schema is inferred from: a tenant chooses how many there are. */
  sampledCollections: 200,
  sampledDocuments: 50,
  inferredColumns: 1_000,
  /** Steps of LIKE, at most characters of the text times those of the pattern: for one text, and until others have a turn. */
  likeStepsAtOnce: 50_000_000,
  likeSteps: 5_000_000,
  /** Words of a native command. */
  nativeArguments: 10_000,
  /** Keys that one SCAN looks at: it goes over those of all projects. */
  scanKeys: 1_000,
} as const;
