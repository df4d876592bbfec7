/** The bounds of connections to the engines' servers, beside those of one pool in LIMITS. Milliseconds unless the name says otherwise. */
export const POOL_LIMITS = {
  /**
   * Connections to one server over all projects and edge workers. A project in use wants one for each edge worker, and
   * opening one costs PostgreSQL twenty times what most queries do; a backend takes some 3 MiB, a thread of MariaDB a
   * tenth of it, a client of Redis next to nothing. The servers that the board starts have room for a few more.
   */
  serverConnections: { sqlite: 0, postgres: 240, mysql: 320, mongodb: 320, redis: 1_024 },
  /** The same on a server that is not the board's, as long as it has not said how many it takes. */
  externalConnections: 80,
  /** Share of what such a server takes in all: others use it, too. */
  externalShare: 0.75,
  /** How long a request waits for one of its project's connections before one more is opened, where no queue stands there. */
  growMs: 10,
  /** A connection unused for so long may go to a project that has some and wants one more. */
  restMs: 1_000,
  /** How often it is looked again for connections that may go to whoever waits: what was asked for may be in use since. */
  lookMs: 250,
} as const;
