import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import type { Host } from '../../../runtime/host.ts';
import { DocumentError } from './document-error.ts';

/** One command while it runs: its deadline, and whether somebody wants it to end. */
export class Operation {
  readonly id: number;
  readonly #host: Host;
  readonly #deadline: number;
  readonly #killed = Promise.withResolvers<never>();
  #reason: string | null = null;
  #sliceEnds: number;

  constructor(id: number, host: Host, budgetMs: number) {
    this.id = id;
    this.#host = host;
    const now = host.now();
    this.#deadline = now + budgetMs;
    this.#sliceEnds = now + DOCUMENT_LIMITS.sliceMs;
    this.#killed.promise.catch(() => {}); // Most operations end before anybody asks.
  }

  /** It ends at its next look; `why` completes "operation was interrupted". */
  kill(why: string): void {
    this.#reason ??= why;
    this.#killed.reject(interrupted(this.#reason));
  }

  /** Throws Interrupted or MaxTimeMSExpired. */
  check(): void {
    if (this.#reason !== null) throw interrupted(this.#reason);
    if (this.#host.now() > this.#deadline)
      throw new DocumentError('MaxTimeMSExpired', 'operation exceeded time limit');
  }

  /** Whether this turn has lasted long enough: other commands wait. */
  get isSliceOver(): boolean {
    return this.#host.now() >= this.#sliceEnds;
  }

  /** Lets others have the thread where the slice is over. Throws as check(). */
  async breathe(): Promise<void> {
    if (!this.isSliceOver) return;
    await new Promise<void>((resolve) => this.#host.defer(resolve));
    this.check();
    this.#sliceEnds = this.#host.now() + DOCUMENT_LIMITS.sliceMs;
  }

  /** What `work` gives, unless the operation ends first or `mostMs` pass; `late` says what that is. */
  async orEnd<Result>(work: Promise<Result>, mostMs: number, late: () => DocumentError): Promise<Result> {
    const { promise, reject } = Promise.withResolvers<never>();
    const left = this.#deadline - this.#host.now();
    const timer = this.#host.setTimer(Math.max(0, Math.min(left, mostMs)), () =>
      reject(
        left <= mostMs ? new DocumentError('MaxTimeMSExpired', 'operation exceeded time limit') : late(),
      ),
    );
    try {
      return await Promise.race([work, promise, this.#killed.promise]);
    } finally {
      this.#host.clearTimer(timer);
    }
  }
}

const interrupted = (why: string): DocumentError =>
  new DocumentError('Interrupted', `operation was interrupted: ${why}`);
