import { LIMITS } from '../../limits.ts';
import { encodeText, type PhoenixMessage, type Vsn } from '../../protocol/phoenix-frame.ts';
import { CLOSE, type CloseReason, wireText } from '../../protocol/realtime-wire.ts';
import type { Channel } from './channel.ts';
import type { GatewayContext } from './context.ts';
import type { GatewaySocket } from './gateway-socket.ts';
import { Outbox } from './outbox.ts';
import type { Project } from './project.ts';

const NO_CHANNELS: ReadonlyMap<string, Channel> = new Map();

/** One client's socket. Small on purpose: thousands of them mostly wait. */
export class Connection {
  readonly context: GatewayContext;
  readonly project: Project;
  readonly vsn: Vsn;
  readonly apikey: string;
  readonly outbox: Outbox;
  readonly #socket: GatewaySocket;
  #channels: Map<string, Channel> | null = null;
  /** Sweeps since something was heard. */
  quiet = 0;
  invalidFrames = 0;
  /** Token bucket: what was left, and when (host milliseconds). */
  #tokens: number = LIMITS.socketMessageBurst;
  #countedAt: number;
  #throttled = false;
  closing = false;

  constructor(context: GatewayContext, project: Project, socket: GatewaySocket, vsn: Vsn, apikey: string) {
    this.context = context;
    this.project = project;
    this.vsn = vsn;
    this.apikey = apikey;
    this.#socket = socket;
    this.#countedAt = context.ports.host.now();
    this.outbox = new Outbox(context.flusher, socket.byteSink, () => this.#tooSlow());
  }

  /** By full topic, `realtime:room`. */
  get channels(): ReadonlyMap<string, Channel> {
    return this.#channels ?? NO_CHANNELS;
  }

  addChannel(channel: Channel): void {
    this.#channels ??= new Map();
    this.#channels.set(channel.fullTopic, channel);
  }

  removeChannel(channel: Channel): void {
    if (this.#channels?.get(channel.fullTopic) === channel) this.#channels.delete(channel.fullTopic);
  }

  send(message: PhoenixMessage): void {
    this.outbox.push(wireText(encodeText(this.vsn, message)));
  }

  /** Closes after what waits has been written. */
  close(reason: CloseReason): void {
    if (this.closing) return;
    this.closing = true;
    this.outbox.end();
    this.project.forget(this);
    // A throttled socket must be read again, or the peer's answer to the close would not be seen.
    this.#socket.resume();
    this.#socket.close(reason.code, reason.reason);
  }

  /** Ends the socket without a goodbye. */
  cut(): void {
    this.closing = true;
    this.outbox.discard();
    this.project.forget(this);
    this.#socket.terminate();
  }

  /** The socket is closed, whoever closed it. */
  gone(): void {
    this.closing = true;
    this.outbox.discard();
    this.project.forget(this);
  }

  /** Resolves when the socket is closed. */
  whenGone(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState === this.#socket.CLOSED) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }

  /** Counts one message; beyond the rate the socket is not read for a while, so that TCP slows the sender. */
  takeToken(): void {
    this.#tokens -= 1;
    // What came with the last read is still handled, on credit.
    if (this.#tokens > 0 || this.#throttled || this.#earn() > 0) return;
    this.#throttled = true;
    this.context.counters.throttled += 1;
    this.#socket.pause();
    this.#resumeLater();
  }

  #earn(): number {
    const now = this.context.ports.host.now();
    const earned = ((now - this.#countedAt) * LIMITS.socketMessagesPerSecond) / 1_000;
    this.#tokens = Math.min(LIMITS.socketMessageBurst, this.#tokens + earned);
    this.#countedAt = now;
    return this.#tokens;
  }

  #resumeLater(): void {
    const wait = ((1 - this.#tokens) * 1_000) / LIMITS.socketMessagesPerSecond;
    this.context.ports.host.setTimer(Math.max(LIMITS.throttlePauseMs, wait), () => {
      if (this.closing) return;
      if (this.#earn() <= 0) {
        this.#resumeLater();
        return;
      }
      this.#throttled = false;
      this.#socket.resume();
    });
  }

  /**
   * A reader that leaves more than the bound behind. Frames not yet written are given up; the close frame goes
   * behind those that the socket holds, and whoever does not read that far is cut after a grace.
   */
  #tooSlow(): void {
    if (this.closing) return;
    this.context.counters.slowConsumers += 1;
    this.close(CLOSE.slowConsumer);
    this.context.ports.host.setTimer(LIMITS.slowConsumerGraceMs, () => this.#socket.terminate());
  }
}
