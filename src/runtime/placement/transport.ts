import type { Host, HostProcess, MessagePort, Transferable } from '../host.ts';
import type { Ambient } from '../kernel/ambient.ts';
import type { Message } from '../spec.ts';
import type { Frame } from './frame.ts';
import { type Chunk, type Item, Outbox, type Post, type Refused } from './outbox.ts';
import { readRecords } from './records.ts';

/**
 * An ordered way to another thread or process, for messages and for what governs them alike.
 *
 * There is one port for both. A second one for control would let a STOP overtake the messages it has to drain, a DOWN
 * those that its actor had sent before, and a barrier everything it stands for; each would need to carry how far the
 * other port had come, and wait for it, which is the same order again. What a second port is for holds without one:
 * receiving never waits for an actor (a message finds its mailbox, or its place in a bounded queue), so that a control
 * frame waits for no more than the reading of LIMITS.linkWindow messages, which takes milliseconds; frames need no
 * credit; and a heartbeat goes through shared memory, past any port.
 */
export interface Transport {
  message(
    target: number,
    message: Message,
    flat: boolean,
    ask: number,
    timeLeft: number,
    ambient: Ambient | null,
  ): void;
  record(target: number, data: Uint8Array, start: number, end: number): void;
  frame(frame: Frame, transfer?: readonly Transferable[]): void;
  /** Sends what waits for the end of the turn: there may be none. */
  flush(): void;
  /** Whoever listened before hears nothing more. */
  listen(listener: TransportListener): void;
  close(): void;
}

export interface TransportListener {
  message(target: number, message: Message, item: Item | null): void;
  record(target: number, data: Uint8Array, start: number, end: number): void;
  frame(frame: Frame): void;
  closed(): void;
  /** Something could not be serialised after all; nothing of it was sent. */
  readonly refused: Refused;
}

/** What all transports share: packing, and unpacking in the same order. */
abstract class PackedTransport implements Transport {
  readonly #outbox: Outbox;
  #listener: TransportListener | null = null;

  constructor(host: Host, post: Post) {
    this.#outbox = new Outbox(host, post);
  }

  message(
    target: number,
    message: Message,
    flat: boolean,
    ask: number,
    timeLeft: number,
    ambient: Ambient | null,
  ): void {
    this.#outbox.message(target, message, flat, ask, timeLeft, ambient);
  }

  record(target: number, data: Uint8Array, start: number, end: number): void {
    this.#outbox.record(target, data, start, end);
  }

  frame(frame: Frame, transfer?: readonly Transferable[]): void {
    this.#outbox.frame(frame, transfer);
  }

  flush(): void {
    this.#outbox.flush();
  }

  listen(listener: TransportListener): void {
    const first = this.#listener === null;
    this.#listener = listener;
    this.#outbox.refused = listener.refused;
    if (first) this.attach();
  }

  abstract close(): void;
  /** Called once: what comes from the other end goes to `received` and `ended`. */
  protected abstract attach(): void;

  protected received(parcel: readonly Chunk[]): void {
    for (const chunk of parcel) {
      // A frame may have changed who listens.
      const listener = this.#listener as TransportListener; // nothing comes before `listen`
      if (typeof chunk === 'string') readList(JSON.parse(chunk) as unknown[], listener);
      else if (Array.isArray(chunk)) readList(chunk, listener);
      else if (chunk instanceof ArrayBuffer || chunk instanceof Uint8Array)
        readRecords(chunk, (target, data, start, end) => listener.record(target, data, start, end));
      else listener.frame(chunk as Frame); // only our own other end writes here
    }
  }

  protected ended(): void {
    this.#listener?.closed();
  }
}

function readList(list: readonly unknown[], listener: TransportListener): void {
  let target = -1;
  for (let index = 0; index < list.length; index += 1) {
    const item = list[index];
    if (typeof item === 'number') target = item;
    else if (Array.isArray(item)) listener.message(target, item[2] as Message, item as unknown as Item);
    else listener.message(target, item as Message, null); // as above
  }
}

/** Between threads. */
export class PortTransport extends PackedTransport {
  readonly #port: MessagePort;

  constructor(host: Host, port: MessagePort) {
    super(host, (parcel, transfer) => port.postMessage(parcel, transfer.slice()));
    this.#port = port;
  }

  close(): void {
    this.flush();
    this.#port.close();
  }

  protected attach(): void {
    this.#port.on('message', (parcel: readonly Chunk[]) => this.received(parcel));
    this.#port.on('close', () => this.ended());
  }
}

/** What both ends of a Node child's IPC channel have. */
export interface IpcEnd {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}

/** Between a process and its Node child, over IPC with structured clone. Carries no ports. */
export class IpcTransport extends PackedTransport {
  readonly #ipc: IpcEnd;

  constructor(host: Host, ipc: IpcEnd) {
    super(host, (parcel) => ipc.send(parcel));
    this.#ipc = ipc;
  }

  close(): void {
    this.flush();
    this.#ipc.close();
  }

  protected attach(): void {
    this.#ipc.onMessage((parcel) => this.received(parcel as readonly Chunk[])); // only our own other end writes here
    this.#ipc.onClose(() => this.ended());
  }
}

/** The parent's end of a child's IPC channel. */
export function parentIpc(child: HostProcess): IpcEnd {
  return {
    send: (message) => child.send?.(message),
    onMessage: (listener) => child.onMessage?.(listener),
    onClose: (listener) => void child.exited.then(listener),
    close: () => {},
  };
}
