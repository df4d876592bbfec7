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
    const asked: Promise<ProjectHandle | null> = this.#resolve(ref).then(
      (found) => this.#answered(ref, asked, found),
      (error: unknown) => {
        this.#settled(ref, asked);
        throw error;
      },
    );
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

  /** Changes may have gone unheard: everything is asked again. Gives the projects that were known or asked for. */
  invalidateAll(): readonly string[] {
    const refs = [...new Set([...this.#known.keys(), ...this.#asking.keys()])];
    for (const ref of refs) this.invalidate(ref);
    return refs;
  }

  #answered(
    ref: string,
    asked: Promise<ProjectHandle | null>,
    found: ProjectHandle | null,
  ): ProjectHandle | null {
    if (this.#settled(ref, asked) && found !== null) {
      if (this.#known.size >= LIMITS.projectSessions) this.#forgetOldest();
      this.#known.set(ref, found);
    }
    return found;
  }

  /** Whether this is still the newest ask for the project: another one may have begun since a change was told. */
  #settled(ref: string, asked: Promise<ProjectHandle | null>): boolean {
    return this.#asking.get(ref) === asked && this.#asking.delete(ref);
  }

  #forgetOldest(): void {
    const oldest = this.#known.keys().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }
}
