import { type Document, deserialize, serialize } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';

/** A request as it came: an OP_MSG, or the OP_QUERY with which drivers still open their first handshake. */
export interface WireRequest {
  readonly requestId: number;
  readonly body: Document;
  /** Documents of OP_MSG's sequence sections by their argument, as the bytes that came. */
  readonly sequences: ReadonlyMap<string, readonly Buffer[]>;
  /** The client waits for no answer (`w: 0`). */
  readonly silent: boolean;
  /** Whether it came as OP_QUERY, and is answered as OP_REPLY. */
  readonly legacy: boolean;
}

const HEADER = 16;
const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const CHECKSUM = 1;
const MORE_TO_COME = 2;
/** Required bits that nobody has defined; a server must not guess at their meaning. */
const UNKNOWN_FLAGS = 0xffff & ~(CHECKSUM | MORE_TO_COME);
const SMALLEST_DOCUMENT = 5;

/** What is no frame of the protocol: the connection is closed, since nothing says where the next one begins. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

function fail(problem: string): never {
  throw new WireError(problem);
}

/** The document at `at`: its own length must fit what is left. */
function documentAt(bytes: Buffer, at: number, end: number): Buffer {
  if (end - at < SMALLEST_DOCUMENT) fail('a document is cut off');
  const size = bytes.readInt32LE(at);
  if (size < SMALLEST_DOCUMENT || size > end - at) fail('a document has an impossible length');
  if (bytes[at + size - 1] !== 0) fail('a document does not end');
  return bytes.subarray(at, at + size);
}

/** How every document of the wire is read; the server's own copies too. */
export const BSON_READING = { promoteLongs: true, promoteValues: true, bsonRegExp: true } as const;

/** Throws WireError for bytes that are no BSON. */
export function readDocument(bytes: Uint8Array): Document {
  try {
    return deserialize(bytes, BSON_READING);
  } catch (cause) {
    throw new WireError('a document is no BSON', { cause });
  }
}

/** Text up to its NUL, and where the next field begins. */
function cstringAt(bytes: Buffer, at: number, end: number): { readonly text: string; readonly next: number } {
  const stop = bytes.indexOf(0, at);
  if (stop === -1 || stop >= end) fail('a name does not end');
  return { text: bytes.toString('utf8', at, stop), next: stop + 1 };
}

function readSequence(
  message: Buffer,
  at: number,
  end: number,
  into: Map<string, readonly Buffer[]>,
): number {
  if (end - at < 4) fail('a section is cut off');
  const size = message.readInt32LE(at);
  if (size < SMALLEST_DOCUMENT || size > end - at) fail('a section has an impossible length');
  const stop = at + size;
  const { text, next } = cstringAt(message, at + 4, stop);
  if (into.has(text)) fail('a sequence came twice');
  const documents: Buffer[] = [];
  for (let from = next; from < stop; ) {
    if (documents.length === DOCUMENT_LIMITS.batch) fail('a sequence holds too many documents');
    const document = documentAt(message, from, stop);
    documents.push(document);
    from += document.length;
  }
  into.set(text, documents);
  return stop;
}

function readMsg(message: Buffer, requestId: number): WireRequest {
  if (message.length < HEADER + 4) fail('a message is cut off');
  const flags = message.readUInt32LE(HEADER);
  if ((flags & UNKNOWN_FLAGS) !== 0) fail('a message has unknown flags');
  const end = message.length - ((flags & CHECKSUM) === 0 ? 0 : 4);
  const sequences = new Map<string, readonly Buffer[]>();
  let body: Document | null = null;
  for (let at = HEADER + 4; at < end; ) {
    const kind = message[at];
    if (kind === 0) {
      if (body !== null) fail('a message has two bodies');
      const document = documentAt(message, at + 1, end);
      body = readDocument(document);
      at += 1 + document.length;
    } else if (kind === 1) at = readSequence(message, at + 1, end, sequences);
    else fail('a message has a section of unknown kind');
  }
  if (body === null) fail('a message has no body');
  return { requestId, body, sequences, silent: (flags & MORE_TO_COME) !== 0, legacy: false };
}

function readQuery(message: Buffer, requestId: number): WireRequest {
  const { text, next } = cstringAt(message, HEADER + 4, message.length);
  if (message.length < next + 8) fail('a query is cut off');
  const body = readDocument(documentAt(message, next + 8, message.length));
  const database = text.split('.', 1)[0] ?? '';
  return { requestId, body: { $db: database, ...body }, sequences: new Map(), silent: false, legacy: true };
}

/** One whole message. Throws WireError. */
export function readMessage(message: Buffer): WireRequest {
  const requestId = message.readInt32LE(4);
  const opcode = message.readInt32LE(12);
  if (opcode === OP_MSG) return readMsg(message, requestId);
  if (opcode === OP_QUERY) return readQuery(message, requestId);
  return fail(`the opcode ${opcode} is not served`);
}

/** Puts messages together from the chunks of a stream; keeps no more than one message beyond what came. */
export class MessageReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #need = HEADER;

  /** Gives the messages that this chunk completed. Throws WireError for a length that no message has. */
  push(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const messages: Buffer[] = [];
    while (this.#size >= this.#need) {
      const [first] = this.#chunks;
      const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
      this.#chunks = [bytes];
      const length = bytes.readInt32LE(0);
      if (length < HEADER || length > DOCUMENT_LIMITS.messageBytes)
        fail('a message has an impossible length');
      this.#need = length;
      if (this.#size < length) break;
      messages.push(bytes.subarray(0, length));
      this.#chunks = [bytes.subarray(length)];
      this.#size -= length;
      this.#need = HEADER;
    }
    return messages;
  }
}

const NO_FIELDS = Buffer.alloc(0);

/**
 * The answer to a request; `reply` is a document, or its bytes where the caller made them.
 * @param fields elements, as bytes, that its document ends with.
 */
export function encodeReply(
  request: WireRequest,
  reply: Document | Buffer,
  id: number,
  fields: Buffer = NO_FIELDS,
): Buffer {
  const body = Buffer.isBuffer(reply) ? reply : serialize(reply, { ignoreUndefined: true });
  const before = request.legacy ? HEADER + 20 : HEADER + 5;
  const message = Buffer.allocUnsafe(before + body.length + fields.length);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(id, 4);
  message.writeInt32LE(request.requestId, 8);
  message.writeInt32LE(request.legacy ? OP_REPLY : OP_MSG, 12);
  message.fill(0, HEADER, before);
  // OP_REPLY: flags (none), cursor (none), from 0, one document.
  if (request.legacy) message.writeInt32LE(1, HEADER + 16);
  message.set(body, before);
  if (fields.length > 0) {
    message.writeInt32LE(body.length + fields.length, before);
    message.set(fields, before + body.length - 1);
    message[message.length - 1] = 0;
  }
  return message;
}

/** A reply with further fields at its end. */
export function extended(reply: Document | Buffer, fields: Document): Document | Buffer {
  if (!Buffer.isBuffer(reply)) return { ...reply, ...fields };
  const bytes = Buffer.concat([reply.subarray(0, -1), inside(serialize(fields)), END]);
  bytes.writeInt32LE(bytes.length, 0);
  return bytes;
}

const ARRAY = 4;
const OBJECT = 3;
const END = Buffer.of(0);

function rawElement(type: number, name: string, bytes: Buffer): Buffer {
  const label = Buffer.from(`${name}\0`, 'utf8');
  return Buffer.concat([Buffer.of(type), label, bytes]);
}

function rawDocument(elements: readonly Buffer[]): Buffer {
  let size = 5;
  for (const element of elements) size += element.length;
  const document = Buffer.allocUnsafe(size);
  document.writeInt32LE(size, 0);
  let at = 4;
  for (const element of elements) {
    document.set(element, at);
    at += element.length;
  }
  document[at] = 0;
  return document;
}

/** Elements of a document's bytes, without its length and its end. */
const inside = (document: Uint8Array): Buffer =>
  Buffer.from(document.buffer, document.byteOffset + 4, document.length - 5);

/**
 * A cursor's reply around documents that are bytes already: what was stored goes out as it is.
 * @param batch `firstBatch` or `nextBatch`.
 * @param fields of the reply beside the cursor.
 */
export function cursorReply(
  batch: string,
  documents: readonly Buffer[],
  cursor: Document,
  fields: Document = {},
): Buffer {
  const rows = rawDocument(documents.map((document, index) => rawElement(OBJECT, String(index), document)));
  const body = rawDocument([rawElement(ARRAY, batch, rows), inside(serialize(cursor))]);
  return rawDocument([rawElement(OBJECT, 'cursor', body), inside(serialize({ ...fields, ok: 1 }))]);
}
