import type { FlowEmitter, FlowProducer } from '../flow.ts';
import type { BusEvent } from './bus.ts';
import { LaneReader, type RecordSource } from './lane-reader.ts';
import type { BusRecord } from './record.ts';

export interface ReplayTopic extends RecordSource {
  readonly lanes: readonly string[];
  parse(record: BusRecord): unknown;
}

/** Events of all lanes in their order, from an offset to the end and on. */
export class Replay implements FlowProducer {
  readonly #topic: ReplayTopic;
  readonly #emitter: FlowEmitter<BusEvent<unknown>>;
  readonly #onEnd: () => void;
  #reader: LaneReader | null = null;

  constructor(topic: ReplayTopic, emitter: FlowEmitter<BusEvent<unknown>>, onEnd: () => void) {
    this.#topic = topic;
    this.#emitter = emitter;
    this.#onEnd = onEnd;
  }

  start(offset: number): void {
    const all = (): boolean => true;
    const wake = (): void => this.wake();
    this.#reader = new LaneReader(this.#topic, offset, all, wake, (error) => this.fail(error));
    this.wake();
  }

  wake(): void {
    this.#emitter.wake();
  }

  pull(): void {
    while (this.#emitter.demand > 0) {
      const record = this.#reader?.take();
      if (record === undefined) return;
      const { offset, time, id } = record;
      const lane = this.#topic.lanes[Math.min(record.lane, this.#topic.lanes.length - 1)] ?? '';
      let event: unknown;
      try {
        event = this.#topic.parse(record);
      } catch (error) {
        this.fail(error);
        return;
      }
      this.#emitter.next({ event, offset, time, id, lane });
    }
  }

  cancel(): void {
    this.#reader?.stop();
    this.#onEnd();
  }

  fail(error: unknown): void {
    this.finish(error instanceof Error ? error : new Error(String(error)));
  }

  finish(error: Error | null): void {
    this.cancel();
    if (error === null) this.#emitter.complete();
    else this.#emitter.error(error);
  }
}
