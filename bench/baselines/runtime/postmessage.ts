/**
 * What a Node engineer would write by hand to send to a worker thread: one by one, or in batches. The receiver counts
 * and adds up; under `batch` it first puts each message into a bounded ring, as a mailbox is one. `free`: batches
 * without a ring, and without waiting for anybody.
 */
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { expectEqual, measure, rate, turn } from '../../program.ts';
import { BURST, checksum, keepInFlight, record, recordId, type Tick, tick, WINDOW } from '../../traffic.ts';

type Kind = 'objects' | 'binary';
type How = 'single' | 'batch' | 'free';

interface Plan {
  readonly kind: Kind;
  readonly how: How;
}

/** Messages in one post. */
const BATCH = 256;
const LENGTH_BYTES = 4;

type ToWorker = Tick | readonly Tick[] | Uint8Array | { readonly read: true } | { readonly echo: number };
type FromWorker = { readonly ack: true } | { readonly sum: number } | { readonly echo: number };

/** A record where it lies in its batch. */
class Slice {
  readonly data: Uint8Array;
  readonly start: number;
  readonly end: number;

  constructor(data: Uint8Array, start: number, end: number) {
    this.data = data;
    this.start = start;
    this.end = end;
  }
}

/** Bounded: what finds it full is refused. */
class Ring<T> {
  readonly #slots: (T | undefined)[] = new Array(WINDOW);
  #head = 0;
  #size = 0;

  put(item: T): boolean {
    if (this.#size === WINDOW) return false;
    this.#slots[(this.#head + this.#size) & (WINDOW - 1)] = item;
    this.#size += 1;
    return true;
  }

  take(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (WINDOW - 1);
    this.#size -= 1;
    return item;
  }
}

// ── the worker

function receive(plan: Plan): void {
  const port = parentPort;
  if (port === null) throw new Error('not in a worker');
  const post = (message: FromWorker): void => port.postMessage(message);
  const ring = new Ring<Tick | Slice>();
  let count = 0;
  let sum = 0;
  const consume = (id: number): void => {
    sum += id;
    count += 1;
    if (count % BURST === 0 && plan.how !== 'free') post({ ack: true });
  };
  const idOf = (item: Tick | Slice): number => ('type' in item ? item.id : recordId(item.data, item.start));
  const take = (item: Tick | Slice): void => {
    if (plan.how === 'free') consume(idOf(item));
    else if (!ring.put(item)) throw new Error('the ring is full');
  };
  const drain = (): void => {
    for (let item = ring.take(); item !== undefined; item = ring.take()) consume(idOf(item));
  };
  port.on('message', (message: ToWorker) => {
    if (Array.isArray(message)) {
      for (const item of message as readonly Tick[]) take(item);
      drain();
    } else if (message instanceof Uint8Array) {
      if (plan.how === 'single') consume(recordId(message, 0));
      else if (plan.how === 'free') unpack(message, (data, start) => consume(recordId(data, start)));
      else unpack(message, (data, start, end) => take(new Slice(data, start, end)));
      drain();
    } else if ('type' in message) consume(message.id);
    else if ('echo' in message) post(message);
    else if ('read' in message) post({ sum });
  });
}

function pack(from: number, to: number): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (let n = from; n < to; n += 1) length += LENGTH_BYTES + record(n).length;
  const data = new Uint8Array(length);
  let at = 0;
  for (let n = from; n < to; n += 1) {
    const next = record(n);
    data[at] = next.length & 255;
    data[at + 1] = (next.length >> 8) & 255;
    data[at + 2] = (next.length >> 16) & 255;
    data[at + 3] = next.length >> 24;
    data.set(next, at + LENGTH_BYTES);
    at += LENGTH_BYTES + next.length;
  }
  return data;
}

function unpack(data: Uint8Array, take: (data: Uint8Array, start: number, end: number) => void): void {
  for (let at = 0; at < data.length; ) {
    const start = at + LENGTH_BYTES;
    at = start + recordId(data, at);
    take(data, start, at);
  }
}

// ── the sender

/** Sends bursts, a turn each, and waits where the window is full; the worker acknowledges each burst. */
class Pace {
  #due = 0;
  #wake: () => void = () => {};

  acknowledged(): void {
    this.#due -= BURST;
    this.#wake();
  }

  /** Resolves when all of `count` (a multiple of BURST) are acknowledged. */
  async send(from: number, count: number, burst: (from: number) => void): Promise<void> {
    for (let at = from; at < from + count; at += BURST) {
      while (this.#due + BURST > WINDOW) await this.#acknowledgement();
      this.#due += BURST;
      burst(at);
      await turn();
    }
    while (this.#due > 0) await this.#acknowledgement();
  }

  #acknowledgement(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

class Sender {
  readonly #plan: Plan;
  readonly #worker: Worker;
  readonly #pace = new Pace();
  readonly #calls = new Map<number, (n: number) => void>();
  #onSum: (sum: number) => void = () => {};
  #sent = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#worker = new Worker(fileURLToPath(import.meta.url), { workerData: plan });
    this.#worker.on('message', (message: FromWorker) => {
      if ('ack' in message) this.#pace.acknowledged();
      else if ('echo' in message) this.#answer(message.echo);
      else this.#onSum(message.sum);
    });
    this.#worker.on('error', (error) => {
      throw error;
    });
  }

  async send(count: number): Promise<void> {
    const from = this.#sent;
    this.#sent += count;
    if (this.#plan.how === 'free') await this.#sendFreely(from, count);
    else await this.#pace.send(from, count, (at) => this.#burst(at));
    const sum = await new Promise<number>((resolve) => {
      this.#onSum = resolve;
      this.#worker.postMessage({ read: true });
    });
    expectEqual('sum', sum, checksum(this.#plan.kind, 0, this.#sent));
  }

  call(n: number): Promise<number> {
    return new Promise((resolve) => {
      this.#calls.set(n, resolve);
      this.#worker.postMessage({ echo: n });
    });
  }

  #answer(n: number): void {
    this.#calls.get(n)?.(n);
    this.#calls.delete(n);
  }

  async #sendFreely(from: number, count: number): Promise<void> {
    for (let at = from; at < from + count; at += BURST) {
      this.#burst(at);
      await turn();
    }
  }

  #burst(from: number): void {
    const { kind, how } = this.#plan;
    if (how === 'single') {
      for (let n = from; n < from + BURST; n += 1)
        this.#worker.postMessage(kind === 'objects' ? tick(n) : record(n));
      return;
    }
    for (let at = from; at < from + BURST; at += BATCH) {
      if (kind === 'objects') {
        this.#worker.postMessage(Array.from({ length: BATCH }, (_, n) => tick(at + n)));
      } else {
        const data = pack(at, at + BATCH);
        this.#worker.postMessage(data, [data.buffer]);
      }
    }
  }
}

const oneway = (kind: Kind, how: How, bursts: number) => () => {
  const sender = new Sender({ kind, how });
  return rate(bursts * BURST, (count) => sender.send(count), Math.ceil(bursts / 4) * BURST);
};

const roundTrips = (inFlight: number, count: number) => () => {
  const sender = new Sender({ kind: 'objects', how: 'single' });
  return rate(count, (calls) => keepInFlight(calls, inFlight, (n) => sender.call(n)));
};

if (isMainThread) {
  await measure({
    'objects.single': oneway('objects', 'single', 600),
    'objects.batch': oneway('objects', 'batch', 1_500),
    'objects.free': oneway('objects', 'free', 1_500),
    'binary.single': oneway('binary', 'single', 400),
    'binary.batch': oneway('binary', 'batch', 10_000),
    'binary.free': oneway('binary', 'free', 12_000),
    'roundtrip.1': roundTrips(1, 8_000),
    'roundtrip.64': roundTrips(64, 80_000),
  });
} else {
  receive(workerData as Plan); // only Sender starts it
}
