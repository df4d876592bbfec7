import type { Document } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { Host } from '../../../runtime/host.ts';

interface Known {
  readonly owner: string;
  readonly lsid: unknown;
  usedAt: number;
}

/** The logical sessions that clients use, as `$listLocalSessions` tells them. */
export class Sessions {
  readonly #host: Host;
  /** Least recently used first. */
  readonly #known = new Map<string, Known>();

  constructor(host: Host) {
    this.#host = host;
  }

  touch(key: string, owner: string, lsid: unknown): void {
    this.#known.delete(key);
    this.#known.set(key, { owner, lsid, usedAt: this.#host.wallTime() });
    if (this.#known.size <= DOCUMENT_LIMITS.sessions) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  end(key: string): void {
    this.#known.delete(key);
  }

  /** @param owner null: those of every user. */
  list(owner: string | null): readonly Document[] {
    return [...this.#known.values()]
      .filter((each) => owner === null || each.owner === owner)
      .map(({ owner: user, lsid, usedAt }) => ({ _id: lsid, user, lastUse: new Date(usedAt) }));
  }
}
