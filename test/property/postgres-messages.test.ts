import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageWriter } from '../../src/actors/storage/postgres/message-writer.ts';

type Message =
  | { readonly type: 'parse'; readonly name: string; readonly text: string }
  | { readonly type: 'bind'; readonly name: string; readonly values: readonly (string | null)[] }
  | { readonly type: 'describe' | 'execute' | 'sync' };

/** Reads a batch as the server would: by the protocol's own description of each message. */
function read(batch: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < batch.length; ) {
    const code = String.fromCharCode(batch[at] ?? 0);
    const length = batch.readInt32BE(at + 1);
    const body = batch.subarray(at + 5, at + 1 + length);
    let from = 0;
    const text = (): string => {
      const end = body.indexOf(0, from);
      const found = body.toString('utf8', from, end);
      from = end + 1;
      return found;
    };
    const int = (bytes: 2 | 4): number => {
      const found = bytes === 2 ? body.readUInt16BE(from) : body.readInt32BE(from);
      from += bytes;
      return found;
    };
    if (code === 'P') {
      messages.push({ type: 'parse', name: text(), text: text() });
      expect(int(2)).toBe(0);
    } else if (code === 'B') {
      expect(text()).toBe('');
      const name = text();
      expect(int(2)).toBe(0);
      const values = Array.from({ length: int(2) }, () => {
        const bytes = int(4);
        if (bytes === -1) return null;
        from += bytes;
        return body.toString('utf8', from - bytes, from);
      });
      expect(int(2)).toBe(0);
      messages.push({ type: 'bind', name, values });
    } else if (code === 'D') {
      expect(body.toString()).toBe('P\0');
      from = 2;
      messages.push({ type: 'describe' });
    } else if (code === 'E') {
      expect([text(), int(4)]).toEqual(['', 0]);
      messages.push({ type: 'execute' });
    } else {
      expect(code).toBe('S');
      messages.push({ type: 'sync' });
    }
    expect(from).toBe(body.length);
    at += 1 + length;
  }
  return messages;
}

const cstring = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
const value = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'binary' }),
  fc.integer({ min: 1, max: 40_000 }).map((length) => 'ä'.repeat(length)),
);
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant('parse' as const), name: cstring, text: cstring }),
  fc.record({ type: fc.constant('bind' as const), name: cstring, values: fc.array(value, { maxLength: 8 }) }),
  fc.record({ type: fc.constantFrom('describe' as const, 'execute' as const, 'sync' as const) }),
);

function write(writer: MessageWriter, each: Message): void {
  if (each.type === 'parse') writer.parse(each.name, each.text);
  else if (each.type === 'bind') writer.bind(each.name, each.values);
  else if (each.type === 'describe') writer.describePortal();
  else writer[each.type]();
}

describe('a batch of messages to PostgreSQL', () => {
  it('is read by the protocol as what was written, of any text and any size, one after another', () => {
    const writer = new MessageWriter();
    const batches: Buffer[] = [];
    fc.assert(
      fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
        writer.begin();
        for (const each of messages) write(writer, each);
        const batch = writer.take();
        expect(read(batch)).toEqual(messages);
        batches.push(batch);
      }),
      { numRuns: 60 },
    );
    // What was taken stays as it was while later batches are written.
    for (const batch of batches) read(batch);
  });
});
