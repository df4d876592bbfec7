import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';

/** Has a project's role set up anew at the server, with its password; gives whether the role may be tried again. */
export type Readmit = () => Promise<boolean>;

/**
 * A role may change its own password on PostgreSQL and on MariaDB, whatever its rights: there is none to take away, and
 * a session that runs as another role can always become its own again. So what runs as it may lock the board out, and
 * whoever opens a connection then has the password set anew and tries once more: the request is only a little later. No
 * oftener than once in a while, since each time costs the server some statements.
 */
export class Readmission {
  readonly #host: Host;
  readonly #readmit: Readmit;
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<boolean> = Promise.resolve(false);

  constructor(host: Host, readmit: Readmit = () => Promise.resolve(false)) {
    this.#host = host;
    this.#readmit = readmit;
  }

  /** Opens; where that `isRefused`, has the role readmitted and opens again. Rejects with what opening rejects with. */
  async open<Connection>(
    open: () => Promise<Connection>,
    isRefused: (error: unknown) => boolean,
  ): Promise<Connection> {
    try {
      return await open();
    } catch (error) {
      if (!isRefused(error) || !(await this.#ask())) throw error;
      return open();
    }
  }

  /** Those that are refused meanwhile wait for the same answer. */
  #ask(): Promise<boolean> {
    const now = this.#host.now();
    if (now - this.#asked >= LIMITS.schemaCheckMs) {
      this.#asked = now;
      // The catalogue is away: the refusal itself says more.
      this.#asking = this.#readmit().catch(() => false);
    }
    return this.#asking;
  }
}
