import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, serialize } from 'bson';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pickFields } from '../../src/actors/storage/documents/raw-fields.ts';
import { DocumentServer } from '../../src/actors/storage/documents/server.ts';
import {
  cursorReply,
  encodeReply,
  MessageReader,
  readDocument,
  readMessage,
  WireError,
} from '../../src/actors/storage/documents/wire.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';

const folder = mkdtempSync(join(tmpdir(), 'mag-wire-'));
const admin = { name: 'root', password: 'secret' };
const server = new DocumentServer({ host: nodeHost(), folder, admin, faultInjection: true, log: () => {} });
let port = 0;
beforeAll(async () => {
  port = await server.listen(0);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An OP_MSG with a body and perhaps a sequence of documents. */
function opMsg(body: Document, sequence: readonly Document[] = [], id = 7): Buffer {
  const documents = sequence.map((document) => serialize(document));
  const head = Buffer.from('documents\0');
  const size = 4 + head.length + documents.reduce((sum, each) => sum + each.length, 0);
  const length = Buffer.alloc(4);
  length.writeInt32LE(size);
  const section = sequence.length === 0 ? [] : [Buffer.of(1), length, head, ...documents];
  const parts = Buffer.concat([Buffer.alloc(4), Buffer.of(0), serialize(body), ...section]);
  const message = Buffer.concat([Buffer.alloc(16), parts]);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(id, 4);
  message.writeInt32LE(2013, 12);
  return message;
}

/** Sends bytes and gives what comes back until the server closes, or `bytes` have come. */
function exchange(bytes: Buffer, wanted = 1): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (Buffer.concat(chunks).length >= wanted) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}

const hello = opMsg({ hello: 1, $db: 'admin' });
const isAlive = async (): Promise<boolean> => (await exchange(hello)).length > 16;

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.date({ noInvalidDate: true }),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ maxLength: 6 }).filter((name) => !name.includes('\0') && name !== '__proto__'),
      tie('any'),
      { maxKeys: 4 },
    ),
  ),
})).any;
const document = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 8 }).filter((name) => !name.includes('\0') && name !== '__proto__'),
  value,
  { maxKeys: 6 },
);

describe('the wire protocol of the document server', () => {
  it('reads back every message that is written, however it is cut into chunks', () => {
    fc.assert(
      fc.property(
        document,
        fc.array(document, { maxLength: 3 }),
        fc.array(fc.nat(400), { maxLength: 8 }),
        (body, sequence, cuts) => {
          const bytes = Buffer.concat([opMsg(body, sequence), hello]);
          const reader = new MessageReader();
          const messages: Buffer[] = [];
          let from = 0;
          for (const cut of [...cuts].sort((a, b) => a - b)) {
            const to = Math.min(Math.max(cut, from), bytes.length);
            messages.push(...reader.push(bytes.subarray(from, to)));
            from = to;
          }
          messages.push(...reader.push(bytes.subarray(from)));
          expect(messages).toHaveLength(2);
          const read = readMessage(messages[0] ?? Buffer.alloc(0));
          expect(read.requestId).toBe(7);
          expect(read.body).toEqual(readDocument(serialize(body)));
          const documents = (read.sequences.get('documents') ?? []).map(readDocument);
          expect(documents).toEqual(sequence.map((each) => readDocument(serialize(each))));
        },
      ),
    );
  });

  it('a reply, and a cursor around stored bytes, are documents that a driver reads', () => {
    fc.assert(
      fc.property(fc.array(document, { maxLength: 12 }), (documents) => {
        const batch = documents.map((each) => Buffer.from(serialize(each)));
        const reply = cursorReply('firstBatch', batch, { id: 0, ns: 'a.b' });
        const read = readDocument(reply);
        expect(read).toEqual({
          cursor: { firstBatch: batch.map(readDocument), id: 0, ns: 'a.b' },
          ok: 1,
        });
        const message = encodeReply(readMessage(hello), reply, 3);
        expect([message.readInt32LE(0), message.readInt32LE(8)]).toEqual([message.length, 7]);
      }),
    );
  });

  it('picks fields out of bytes as it would out of the document', () => {
    fc.assert(
      fc.property(document, fc.array(fc.nat(6), { maxLength: 4 }), (given, places) => {
        const names = Object.keys(given);
        const wanted = new Set(places.map((at) => names[at % Math.max(1, names.length)] ?? 'none'));
        const picked = pickFields(Buffer.from(serialize(given)), wanted);
        const kept = Object.fromEntries(Object.entries(given).filter(([name]) => wanted.has(name)));
        expect(readDocument(picked ?? Buffer.alloc(0))).toEqual(readDocument(serialize(kept)));
      }),
    );
  });

  it('refuses what is no message with a WireError, and with nothing else', () => {
    const mutated = fc.tuple(
      document,
      fc.array(fc.tuple(fc.nat(2_000), fc.nat(255)), { minLength: 1, maxLength: 12 }),
    );
    fc.assert(
      fc.property(mutated, ([body, changes]) => {
        const bytes = opMsg(body, [{ a: 1 }]);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        try {
          for (const message of new MessageReader().push(bytes)) readMessage(message);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const message of new MessageReader().push(Buffer.from(bytes))) readMessage(message);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });

  it('outlives any bytes on its socket', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
          fc.tuple(document, fc.nat(2_000), fc.nat(255)).map(([body, at, byte]) => {
            const bytes = opMsg(body);
            bytes[at % bytes.length] = byte;
            return bytes;
          }),
          fc
            .tuple(
              fc.constantFrom('find', 'saslStart', 'saslContinue', 'hello', 'insert', 'aggregate'),
              document,
            )
            .map(([name, body]) => opMsg({ [name]: 'x', ...body, $db: 'd' })),
        ),
        async (bytes) => {
          await exchange(bytes);
        },
      ),
      { numRuns: 150 },
    );
    expect(await isAlive()).toBe(true);
  });

  it('closes a connection that promises a message of gigabytes, and takes no memory for it', async () => {
    const head = Buffer.alloc(16);
    head.writeInt32LE(2 ** 31 - 1, 0);
    expect((await exchange(head)).length).toBe(0);
    expect(await isAlive()).toBe(true);
  });

  it('answers nothing but a refusal to whoever has not authenticated', async () => {
    for (const body of [
      { find: 'x' },
      { insert: 'x', documents: [{ a: 1 }] },
      { listDatabases: 1 },
      { createUser: 'x', pwd: 'y' },
    ]) {
      const reply = await exchange(opMsg({ ...body, $db: 'admin' }));
      expect(readDocument(reply.subarray(21))).toMatchObject({ ok: 0, code: 13 });
    }
  });
});
