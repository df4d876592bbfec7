import {
  encodeBroadcast,
  encodeTextAround,
  type PayloadEncoding,
  type Vsn,
} from '../../protocol/phoenix-frame.ts';
import { wireFrame, wireText } from '../../protocol/realtime-wire.ts';
import type { Channel } from './channel.ts';
import type { PresenceTable } from './presence-table.ts';

/** Topics as clients name them carry this prefix. */
export const TOPIC_PREFIX = 'realtime:';

/** A public and a private channel of one name are two topics. */
export const topicKey = (name: string, isPrivate: boolean): string =>
  isPrivate ? `private:${name}` : `public:${name}`;

/** Everybody of one project who joined one name, on this edge worker. */
export interface Topic {
  readonly key: string;
  /** Without the prefix. */
  readonly name: string;
  readonly isPrivate: boolean;
  readonly members: Set<Channel>;
  /** Made when the first member asks for presence. */
  presence: PresenceTable | null;
}

/** A broadcast on its way to many: what it says, and each form of its frame once somebody needed it. */
export class BroadcastFrames {
  readonly #topic: string;
  readonly #event: string;
  readonly #encoding: PayloadEncoding;
  readonly #payload: string | Uint8Array;
  readonly #made = new Map<Vsn, Buffer | null>();

  /** `payload` is JSON text, or bytes. `topic` is the name with its prefix. */
  constructor(topic: string, event: string, payload: string | Uint8Array) {
    this.#topic = topic;
    this.#event = event;
    this.#encoding = typeof payload === 'string' ? 'json' : 'binary';
    this.#payload = payload;
  }

  /** The frame for a serializer; null where it has no form for it (bytes under 1.0.0). */
  frame(vsn: Vsn): Buffer | null {
    let frame = this.#made.get(vsn);
    if (frame === undefined) {
      frame = this.#make(vsn);
      this.#made.set(vsn, frame);
    }
    return frame;
  }

  #make(vsn: Vsn): Buffer | null {
    const payload = this.#payload;
    if (typeof payload === 'string') {
      const head = { joinRef: null, ref: null, topic: this.#topic, event: 'broadcast' };
      const body = `{"type":"broadcast","event":${JSON.stringify(this.#event)},"payload":${payload}}`;
      return wireText(encodeTextAround(vsn, head, body));
    }
    if (vsn === '1.0.0') return null;
    const fields = {
      topic: this.#topic,
      event: this.#event,
      metadata: '',
      encoding: this.#encoding,
      payload,
    };
    return wireFrame('binary', encodeBroadcast(fields));
  }
}
