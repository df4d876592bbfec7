import type { MessagePort } from 'node:worker_threads';
import { describeError, MagError } from '../errors.ts';
import type { Flow } from './flow.ts';
import { type FlowLink, type Grant, type LinkEnd, type Parcel, type SendOptions, sendOver } from './link.ts';
import { type ReceiveOptions, receiveBatches, receiveItems } from './link-receiver.ts';
import type { RecordBatch } from './link-records.ts';

/** A message port as a link: frames are cloned, packed records are transferred as bare Uint8Arrays. */
export function portLink(port: MessagePort): FlowLink {
  return new PortLink(port);
}

class PortLink implements FlowLink {
  readonly hasRoom = true;
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  send(frame: Grant | Parcel): void {
    this.#port.postMessage(frame);
  }

  sendItems(items: readonly unknown[]): void {
    try {
      this.#port.postMessage({ items } satisfies Parcel);
    } catch (error) {
      this.#sendUntilRefused(items);
      throw uncloneable(error);
    }
  }

  sendRecords(packed: Uint8Array<ArrayBuffer>): void {
    this.#port.postMessage(packed, [packed.buffer]);
  }

  attach(end: LinkEnd): () => void {
    const onMessage = (message: unknown): void => {
      if (message instanceof Uint8Array) end.onRecords(message);
      else end.onFrame(message);
    };
    const onMessageError = (error: unknown): void => end.onInvalid(describeError(error));
    const onClose = (): void => end.onClose('the port was closed');
    this.#port.on('message', onMessage);
    this.#port.on('messageerror', onMessageError);
    this.#port.on('close', onClose);
    return () => {
      this.#port.off('message', onMessage);
      this.#port.off('messageerror', onMessageError);
      this.#port.off('close', onClose);
    };
  }

  /** One item of a batch cannot be cloned: those before it are good. */
  #sendUntilRefused(items: readonly unknown[]): void {
    for (const item of items) {
      try {
        this.#port.postMessage({ items: [item] } satisfies Parcel);
      } catch {
        // It is reported by who called, with the batch's error, which is the same.
        return;
      }
    }
  }
}

const uncloneable = (error: unknown): MagError =>
  new MagError('MAG_LINK_ITEM_INVALID', { problem: describeError(error) }, { cause: error });

const linkOf = (over: MessagePort | FlowLink): FlowLink => ('attach' in over ? over : portLink(over));

/**
 * Sends a flow over a port (or any other link): as many items as the other end has granted, never more. Ends with the
 * flow, a cancel, or the port. Returns how to stop from this end, which the other end sees as MAG_LINK_CLOSED.
 */
export function sendFlow<T>(
  host: { soon(callback: () => void): void },
  flow: Flow<T>,
  over: MessagePort | FlowLink,
  options?: SendOptions,
): () => void {
  return sendOver(host, flow, linkOf(over), options);
}

/**
 * The far end's flow, for one subscriber (MAG_FLOW_SUBSCRIBED for a second one). A port or link that closes before the
 * flow has ended is MAG_LINK_CLOSED, one that breaks the protocol MAG_LINK_FRAME_INVALID; an error of the flow itself
 * keeps its message and code. Records (Uint8Array) come as views into their batch: keeping one keeps the batch.
 */
export function receiveFlow<T>(over: MessagePort | FlowLink, options: ReceiveOptions): Flow<T> {
  return receiveItems(linkOf(over), options);
}

/**
 * The far end's records in the batches in which they came, without a view for each; the window still counts records.
 * What is no record is MAG_LINK_FRAME_INVALID.
 */
export function receiveRecords(over: MessagePort | FlowLink, options: ReceiveOptions): Flow<RecordBatch> {
  return receiveBatches(linkOf(over), options);
}
