import { Binary, type Document, Long, serialize, Timestamp } from 'bson';
import type { Host } from '../../../runtime/host.ts';

/** Nobody signs times here: drivers hand them back, and look at nothing but the time. */
const SIGNATURE = { hash: new Binary(Buffer.alloc(20)), keyId: Long.ZERO };

/** The time of the last change, as a replica set tells it: with it a session reads what it wrote before. */
export class ClusterTime {
  readonly #host: Host;
  #seconds: number;
  #change = 1;
  #fields: Buffer | null = null;

  constructor(host: Host) {
    this.#host = host;
    this.#seconds = this.#wallSeconds();
  }

  /** After a change. Never goes back, whatever the clock does. */
  tick(): void {
    const seconds = Math.max(this.#seconds, this.#wallSeconds());
    this.#change = seconds === this.#seconds ? this.#change + 1 : 1;
    this.#seconds = seconds;
    this.#fields = null;
  }

  get now(): Timestamp {
    return new Timestamp({ t: this.#seconds, i: this.#change });
  }

  /** Elements that every reply ends with, as bytes. */
  get fields(): Buffer {
    this.#fields ??= elementsOf({
      $clusterTime: { clusterTime: this.now, signature: SIGNATURE },
      operationTime: this.now,
    });
    return this.#fields;
  }

  #wallSeconds(): number {
    return Math.floor(this.#host.wallTime() / 1_000);
  }
}

/** A document's bytes without its length and its end. */
const elementsOf = (value: Document): Buffer => Buffer.from(serialize(value)).subarray(4, -1);
