import { describeError } from '../../errors.ts';
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
  #calls = 0;

  constructor(open: Open, log: Log) {
    this.#open = open;
    this.#log = log;
  }

  open(project: ProjectHandle): Engine | Promise<Engine> {
    const session = this.#sessions.get(project.ref);
    if (session !== undefined && session.version === project.version)
      return session.engine ?? session.opening;
    if (session !== undefined) this.close(project.ref);
    return this.#start(project);
  }

  /** Ends the session of a project that was changed or dropped, or whose server moved. */
  close(ref: string): void {
    const session = this.#sessions.get(ref);
    if (session === undefined) return;
    this.#sessions.delete(ref);
    session.opening
      .then((engine) => engine.close())
      .catch((error: unknown) =>
        this.#log.warn({ ref, error: describeError(error) }, 'a session did not close cleanly'),
      );
  }

  async closeAll(): Promise<void> {
    const open = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.allSettled(open.map(async (session) => (await session.opening).close()));
  }

  get size(): number {
    return this.#sessions.size;
  }

  #start(project: ProjectHandle): Promise<Engine> {
    const opening = this.#open(project);
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
