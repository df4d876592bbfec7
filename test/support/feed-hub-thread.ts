import { Worker } from 'node:worker_threads';
import type { FeedClientService } from '../../src/actors/feed/feed-client.ts';
import { createFeedClient } from '../../src/actors/feed/feed-client.ts';
import type { FeedPush } from '../../src/actors/feed/feed-messages.ts';
import { type ErrorCode, MagError } from '../../src/errors.ts';
import type { Connection } from '../../src/protocol/project.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';
import type { Message } from '../../src/runtime/spec.ts';
import type { SendResult } from '../../src/runtime/system.ts';

type FromHub =
  | { readonly path: string; readonly message: FeedPush }
  | { readonly ask: number; readonly value?: unknown; readonly error?: { code: ErrorCode; message: string } };

/** A feed hub in a real worker thread, which a test can kill and start again, with a client on this side. */
export class HubThread {
  readonly client: FeedClientService;
  /** While it returns false, pushes are lost on their way. */
  delivers: () => boolean = () => true;
  readonly #data: { dataDir: string; connections: Readonly<Record<string, Connection>> };
  readonly #asks = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #worker: Worker | null = null;
  #count = 0;

  constructor(dataDir: string, connections: Readonly<Record<string, Connection>>) {
    this.#data = { dataDir, connections };
    this.client = createFeedClient({
      host: nodeHost(),
      log: silentLog,
      path: 'board/edges/edge-1/feed-client',
      hub: { ask: (message: Message) => this.#ask(message), send: (message) => this.#send(message) },
    });
    this.start();
  }

  start(): void {
    const worker = new Worker(new URL('./feed-hub-worker.ts', import.meta.url), { workerData: this.#data });
    worker.on('message', (message: FromHub) => {
      if (this.#worker === worker) this.#receive(message);
    });
    this.#worker = worker;
  }

  /** Ends the thread in the middle of whatever it does; asks under way fail, as with the runtime's transport. */
  async kill(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    for (const { reject } of this.#asks.values())
      reject(new MagError('MAG_ACTOR_CRASHED', { path: 'feed', cause: 'exit' }));
    this.#asks.clear();
    await worker?.terminate();
  }

  /** As the board does when a project is dropped. */
  async drop(ref: string): Promise<void> {
    await this.#ask({ type: 'FEED_DROP', ref });
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.kill();
  }

  #ask<Reply>(message: Message): Promise<Reply> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#worker === null) {
        reject(new MagError('MAG_ACTOR_NOT_FOUND', { path: 'board/feed' }));
        return;
      }
      this.#count += 1;
      this.#asks.set(this.#count, { resolve, reject });
      this.#worker.postMessage({ ask: this.#count, message });
    }) as Promise<Reply>;
  }

  #send(message: Message): SendResult {
    this.#worker?.postMessage({ ask: null, message });
    return this.#worker === null ? 'dead' : 'sent';
  }

  #receive(message: FromHub): void {
    if ('path' in message) {
      if (this.delivers()) this.client.handle(message.message);
      return;
    }
    const waiting = this.#asks.get(message.ask);
    this.#asks.delete(message.ask);
    if (message.error === undefined) waiting?.resolve(message.value);
    else waiting?.reject(Object.assign(new MagError(message.error.code), { message: message.error.message }));
  }
}
