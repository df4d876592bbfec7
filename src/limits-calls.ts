/** The bounds of calls to what may fail, as LIMITS has the others. Milliseconds unless the name says otherwise. */
export const CALL_LIMITS = {
  /** A breaker judges the calls of so long, in so many buckets; longer, and an old outage trips it anew. */
  breakerWindowMs: 10_000,
  breakerBuckets: 10,
  /** With fewer calls in the window a breaker never trips: one failure of one call is no outage. */
  breakerMinimumCalls: 20,
  /** Parts of the window's calls that trip it. */
  breakerFailureRatio: 0.5,
  breakerSlowRatio: 0.8,
  /** A call is slow beyond this, and beyond so many times the median: a dependency that is slow by nature is none. */
  breakerSlowMs: 1_000,
  breakerSlowFactor: 4,
  /** How long a breaker stays open at first; doubled with each failed recovery up to the cap, a fifth more or less. */
  breakerOpenMs: 5_000,
  breakerOpenCapMs: 60_000,
  breakerJitter: 0.2,
  /** Calls let through to find out whether a dependency is back; more would fell one that just stood up. */
  breakerProbes: 3,
  /** A probe that is not answered for so long has failed; else one that hangs keeps the breaker half-open for ever. */
  breakerProbeMs: 10_000,
  /** Finished calls whose record a breaker keeps for the next ones; each holds three words. */
  breakerSpareCalls: 256,
  /** How often the coarse clock moves while calls are measured; finer costs a timer for nothing, coarser precision. */
  coarseTickMs: 25,
  /** Most that one tick adds to a latency: beyond it the event loop stalled, not what was called. */
  coarseStallMs: 250,
  /** Attempts in all, and the delays between them. */
  retryAttempts: 4,
  retryBaseMs: 50,
  retryCapMs: 10_000,
  /** Retries per first attempt over retryWindowMs; without it retries multiply the load of what is already down. */
  retryBudgetRatio: 0.1,
  retryWindowMs: 10_000,
  /** Retries a window that are granted whatever the traffic: a tenth of three calls is no retry at all. */
  retryReserve: 10,
  /** Calls at once to one dependency, and those that wait for a place; beyond it one slow dependency takes all memory. */
  bulkheadConcurrency: 64,
  bulkheadQueue: 256,
  /** Priorities of those that wait: 0 for what must not fail, 1 for most, 2 for what can be done again later. */
  bulkheadLanes: 3,
  /** How long a call waits for its place; later its caller has given up. */
  bulkheadWaitMs: 1_000,
  /** Bounds of an adaptive limit: below the floor a latency cannot be measured under load, above the ceiling it is none. */
  adaptiveFloor: 4,
  adaptiveCeiling: 1_000,
  adaptiveInitial: 20,
  /** An adaptive limit decides after so long and so many calls; after fewer, one odd latency would. */
  adaptiveWindowMs: 100,
  adaptiveWindowCalls: 10,
  /** How often the latency without load is measured anew; between, a change of it is taken for load. */
  adaptiveRemeasureMs: 60_000,
  /** A queue whose shortest wait is over the target for an interval stands, and is shed. */
  shedTargetMs: 5,
  shedIntervalMs: 100,
} as const;
