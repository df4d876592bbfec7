import { LIMITS } from '../../limits.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { ProjectDirectory } from './ports.ts';

type Resolve = (ref: string) => Promise<ProjectHandle | null>;

/**
 * Projects by reference, asked of the catalogue once and kept until it says that one changed. Misses are not kept:
 * a project made a moment ago must be found at once, and asking for unknown ones costs only the asker.
 */
export class CachedDirectory implements ProjectDirectory {
  readonly #resolve: Resolve;
  readonly #known = new Map<string, ProjectHandle>();
  readonly #asking = new Map<string, Promise<ProjectHandle | null>>();
  readonly #listeners = new Set<(ref: string) => void>();

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
  }

  find(ref: string): ProjectHandle | null | Promise<ProjectHandle | null> {
    const known = this.#known.get(ref);
    if (known !== undefined) return known;
    const asking = this.#asking.get(ref);
    if (asking !== undefined) return asking;
    const asked = this.#ask(ref);
    this.#asking.set(ref, asked);
    return asked;
  }

  onChange(listener: (ref: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The catalogue's word that a project was changed or dropped. An answer still under way is not kept. */
  invalidate(ref: string): void {
    this.#known.delete(ref);
    this.#asking.delete(ref);
    for (const listener of this.#listeners) listener(ref);
  }

  async #ask(ref: string): Promise<ProjectHandle | null> {
    try {
      const found = await this.#resolve(ref);
      if (found !== null && this.#asking.has(ref)) {
        if (this.#known.size >= LIMITS.projectSessions) this.#forgetOldest();
        this.#known.set(ref, found);
      }
      return found;
    } finally {
      this.#asking.delete(ref);
    }
  }

  #forgetOldest(): void {
    const oldest = this.#known.keys().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }
}
