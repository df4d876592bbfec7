import type { LifecycleEvent } from '../protocol/actor-node.ts';
import type { Host, HostProcess, MessagePort, Transferable } from './host.ts';
import type { Message } from './spec.ts';
import type { ExitReason } from './system.ts';
import type { LastWords } from './vessel.ts';
import type { WireError } from './wire-error.ts';

/** What the two ends of a mount tell each other beside the actors' messages. */
export type Control =
  // to the mount
  | { readonly type: 'START'; readonly mount: string; readonly name: string; readonly input: unknown }
  | { readonly type: 'STOP'; readonly reason: string }
  | { readonly type: 'PAUSE'; readonly paused: boolean }
  /** A direct way to another mount. */
  | { readonly type: 'PEER'; readonly mount: string; readonly port: MessagePort }
  | { readonly type: 'PEER_GONE'; readonly mount: string }
  | { readonly type: 'MOUNTS'; readonly mounts: readonly string[] }
  // from the mount
  | { readonly type: 'READY' }
  | { readonly type: 'FAILED'; readonly error: WireError }
  | { readonly type: 'ENDED' }
  /** The thread is about to end by itself. */
  | { readonly type: 'DYING'; readonly words: LastWords }
  | { readonly type: 'LIFECYCLE'; readonly event: LifecycleEvent }
  | {
      readonly type: 'LOG';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message: string;
    };

/** Why an incarnation ended, as it crosses. */
export type WireReason =
  | Exclude<ExitReason, { kind: 'error' }>
  | { readonly kind: 'error'; readonly error: WireError };

/** What crosses between threads and processes. Times are durations: clocks differ between them. */
export type Frame =
  | { readonly kind: 'message'; readonly to: string; readonly message: Message }
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly to: string;
      readonly message: Message;
      readonly timeout: number;
    }
  | { readonly kind: 'call'; readonly id: number; readonly operation: string; readonly args: unknown }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError }
  /** So many messages and asks were taken since the last credit. */
  | { readonly kind: 'credit'; readonly count: number }
  | { readonly kind: 'watch'; readonly id: number; readonly to: string }
  | { readonly kind: 'down'; readonly id: number; readonly address: string; readonly reason: WireReason }
  | { readonly kind: 'control'; readonly control: Control };

/** An ordered way to another thread or process. */
export interface Transport {
  /** Frames of one turn leave together. A frame with transferables takes what waits with it. */
  send(frame: Frame, transfer?: readonly Transferable[]): void;
  /** Sends what waits for the end of the turn: there may be none. */
  flush(): void;
  listen(listener: TransportListener): void;
  close(): void;
}

export interface TransportListener {
  frame(frame: Frame): void;
  closed(): void;
  /** A frame could not be serialised after all; nothing of it was sent. */
  refused(frame: Frame, error: unknown): void;
}

type Post = (frames: readonly Frame[], transfer: readonly Transferable[]) => void;

/** Collects the frames of one turn: posting them one by one costs three times as much (facts: 0.9M against 2.8M/s). */
class Batch {
  readonly #host: Host;
  readonly #post: Post;
  #frames: Frame[] = [];
  /** Set by the transport's listener. */
  refused: (frame: Frame, error: unknown) => void = () => {};

  constructor(host: Host, post: Post) {
    this.#host = host;
    this.#post = post;
  }

  add(frame: Frame, transfer: readonly Transferable[]): void {
    if (this.#frames.push(frame) === 1) this.#host.soon(() => this.flush([]));
    if (transfer.length > 0) this.flush(transfer);
  }

  flush(transfer: readonly Transferable[]): void {
    if (this.#frames.length === 0) return;
    const frames = this.#frames;
    this.#frames = [];
    try {
      this.#post(frames, transfer);
    } catch (error) {
      this.#sort(frames, transfer, error);
    }
  }

  /** One bad frame must not take those down that wait with it. */
  #sort(frames: readonly Frame[], transfer: readonly Transferable[], cause: unknown): void {
    for (const frame of frames) {
      try {
        if (transfer.length > 0) throw cause;
        this.#post([frame], []);
      } catch (error) {
        this.refused(frame, error);
      }
    }
  }
}

/** Between threads. */
export class PortTransport implements Transport {
  readonly #port: MessagePort;
  readonly #batch: Batch;

  constructor(host: Host, port: MessagePort) {
    this.#port = port;
    this.#batch = new Batch(host, (frames, transfer) => port.postMessage(frames, transfer.slice()));
  }

  send(frame: Frame, transfer: readonly Transferable[] = []): void {
    this.#batch.add(frame, transfer);
  }

  flush(): void {
    this.#batch.flush([]);
  }

  listen(listener: TransportListener): void {
    this.#batch.refused = (frame, error) => listener.refused(frame, error);
    this.#port.on('message', (frames: readonly Frame[]) => {
      for (const frame of frames) listener.frame(frame);
    });
    this.#port.on('close', () => listener.closed());
  }

  close(): void {
    this.#batch.flush([]);
    this.#port.close();
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
export class IpcTransport implements Transport {
  readonly #ipc: IpcEnd;
  readonly #batch: Batch;

  constructor(host: Host, ipc: IpcEnd) {
    this.#ipc = ipc;
    this.#batch = new Batch(host, (frames) => ipc.send(frames));
  }

  send(frame: Frame): void {
    this.#batch.add(frame, []);
  }

  flush(): void {
    this.#batch.flush([]);
  }

  listen(listener: TransportListener): void {
    this.#batch.refused = (frame, error) => listener.refused(frame, error);
    this.#ipc.onMessage((frames) => {
      for (const frame of frames as readonly Frame[]) listener.frame(frame); // only our own other end writes here
    });
    this.#ipc.onClose(() => listener.closed());
  }

  close(): void {
    this.#batch.flush([]);
    this.#ipc.close();
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
