import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { Log } from '../../runtime/log.ts';
import type { Engine } from '../storage/engine.ts';
import type { EngineSessions } from './ports.ts';

type Open = (project: ProjectHandle) => Promise<Engine>;

interface Session {
  readonly version: number;
  engine: Engine | null;
  /** When it was last asked for, in calls of open(). */
  used: number;
  readonly opening: Promise<Engine>;
}

/**
 * Open engines by project, bounded: beyond the limit the least recently used one closes. A handle of a newer
 * version closes the session of the older one: its connection or its rules have changed.
 */
export class SessionCache implements EngineSessions {
  readonly #open: Open;
  readonly #log: Log;
  readonly #sessions = new Map<string, Session>();
  /** Sessions that are on their way out. */
  readonly #closing = new Set<Promise<void>>();
  #calls = 0;
  #closed = false;

  constructor(open: Open, log: Log) {
    this.#open = open;
    this.#log = log;
  }

  open(project: ProjectHandle): Engine | Promise<Engine> {
    const session = this.#sessions.get(project.ref);
    // A request that found its handle before a change is served under the newer rules.
    if (session !== undefined && session.version >= project.version) {
      this.#calls += 1;
      session.used = this.#calls;
      return session.engine ?? session.opening;
    }
    if (this.#closed)
      return Promise.reject(new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'database sessions' }));
    this.close(project.ref);
    return this.#start(project);
  }

  /** Ends the session of a project that was changed or dropped, or whose server moved. */
  close(ref: string): void {
    const session = this.#sessions.get(ref);
    if (session === undefined) return;
    this.#sessions.delete(ref);
    const closing: Promise<void> = this.#end(ref, session).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Also waits for those that were closing already. Nothing opens any more. */
  async closeAll(): Promise<void> {
    this.#closed = true;
    for (const ref of [...this.#sessions.keys()]) this.close(ref);
    await Promise.all(this.#closing);
  }

  async #end(ref: string, { opening }: Session): Promise<void> {
    const engine = await opening.catch(() => null); // whoever opened it was told
    try {
      await engine?.close();
    } catch (error) {
      this.#log.warn({ ref, error: describeError(error) }, 'a session did not close cleanly');
    }
  }

  get size(): number {
    return this.#sessions.size;
  }

  #start(project: ProjectHandle): Promise<Engine> {
    const opening = this.#open(project);
    this.#calls += 1;
    const session: Session = { version: project.version, engine: null, used: this.#calls, opening };
    this.#sessions.set(project.ref, session);
    this.#evict();
    opening.then(
      (engine) => {
        session.engine = engine;
      },
      () => {
        // The caller gets the error; the next request tries anew.
        if (this.#sessions.get(project.ref) === session) this.#sessions.delete(project.ref);
      },
    );
    return opening;
  }

  #evict(): void {
    if (this.#sessions.size <= LIMITS.projectSessions) return;
    let oldest: [string, Session] | undefined;
    for (const entry of this.#sessions)
      if (oldest === undefined || entry[1].used < oldest[1].used) oldest = entry;
    if (oldest !== undefined) this.close(oldest[0]);
  }
}
