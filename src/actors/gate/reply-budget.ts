import type { ServerResponse } from 'node:http';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';

/**
 * Bytes of large replies that clients have not read yet. A client that asks for much and reads nothing keeps it all
 * in memory; beyond the bound the next large reply is refused instead of taking the worker with it.
 */
export class ReplyBudget {
  #pending = 0;

  get pending(): number {
    return this.#pending;
  }

  /** Counts a body until its response is closed. Small ones pass uncounted. Throws MAG_OVERLOADED. */
  admit(response: ServerResponse, body: string | Buffer): void {
    const size = body.length;
    if (size < LIMITS.largeReplyBytes) return;
    if (this.#pending + size > LIMITS.pendingReplyBytes) {
      throw new MagError('MAG_OVERLOADED', { what: 'too much is waiting to be read by other clients' });
    }
    this.#pending += size;
    response.once('close', () => {
      this.#pending -= size;
    });
  }
}
