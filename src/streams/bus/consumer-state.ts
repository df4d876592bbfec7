/** What is kept of a consumer: where each lane stands, and which events before it are not settled. */
export interface LaneState {
  /** Offset of the first event of the lane that was never delivered, or one before it. */
  position: number;
  /** Deliveries made so far, by offset. */
  readonly unsettled: Map<number, number>;
}

export class ConsumerState {
  readonly name: string;
  readonly lanes: readonly LaneState[];
  delivered = 0;
  acked = 0;
  redelivered = 0;
  dead = 0;
  expired = 0;
  missed = 0;
  /** Offsets before it are counted as missed already, where they are. */
  missedBefore = 0;
  /** Brings the positions up to date, while a session reads ahead of them. */
  sync: () => void = () => {};

  constructor(name: string, lanes: readonly LaneState[]) {
    this.name = name;
    this.lanes = lanes;
  }

  static at(name: string, lanes: number, offset: number): ConsumerState {
    const fresh = (): LaneState => ({ position: offset, unsettled: new Map() });
    return new ConsumerState(name, Array.from({ length: lanes }, fresh));
  }

  /** The oldest event that it needs; the topic's end where it has settled all. */
  floor(): number {
    this.sync();
    let floor = Number.POSITIVE_INFINITY;
    for (const { position, unsettled } of this.lanes) {
      floor = Math.min(floor, position);
      for (const offset of unsettled.keys()) floor = Math.min(floor, offset);
    }
    return floor;
  }

  pending(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.unsettled.size, 0);
  }

  encode(): Uint8Array {
    this.sync();
    const lanes = this.lanes.map(({ position, unsettled }) => ({ position, unsettled: [...unsettled] }));
    return Buffer.from(JSON.stringify({ consumer: this.name, lanes }));
  }

  /** A record that says that this consumer is forgotten. */
  static encodeGone(name: string): Uint8Array {
    return Buffer.from(JSON.stringify({ consumer: name, lanes: null }));
  }

  /**
   * What `encode` wrote, as often as it was written; null for one that is forgotten. A topic that has other lanes now
   * starts each where the lowest stood: what was settled in a higher one comes again.
   */
  static decode(
    data: Uint8Array,
    lanes: number,
  ): { readonly name: string; readonly state: ConsumerState | null } {
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8');
    // Its checksum held, so encode wrote it.
    const stored = JSON.parse(text) as {
      consumer: string;
      lanes: readonly { position: number; unsettled: readonly (readonly [number, number])[] }[] | null;
    };
    const name = stored.consumer;
    if (stored.lanes === null) return { name, state: null };
    const held = stored.lanes.map(({ position, unsettled }) => ({ position, unsettled: new Map(unsettled) }));
    const state = new ConsumerState(name, held);
    return { name, state: held.length === lanes ? state : ConsumerState.at(name, lanes, state.floor()) };
  }
}
