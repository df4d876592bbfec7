/** The bounds by which projects share an edge worker. Requests unless the name says otherwise. */
export const TURN_LIMITS = {
  /**
   * Requests that one project begins in a turn of the event loop, and that waiting projects begin together in each later
   * one: what a quiet project's request may find before it. Fewer would cost the busy ones a look at all sockets for each.
   */
  projectTurn: 4,
  /** Requests of one project that wait in one edge worker: each is a socket and its head in memory. Beyond it 503. */
  projectWaiting: 4_096,
  /** Projects whose turns are remembered: their names come from clients, before anybody knows whether there are such. */
  projects: 1_024,
} as const;
