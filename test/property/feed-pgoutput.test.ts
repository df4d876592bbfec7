import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodePgOutput,
  formatLsn,
  type PgOutputMessage,
  POSTGRES_EPOCH,
  parseLsn,
  type Tuple,
} from '../../src/actors/feed/postgres/pgoutput.ts';

/** The writer that the server is, from the same page of PostgreSQL's manual. */
class Writer {
  readonly #parts: Buffer[] = [];

  letter(letter: string): this {
    return this.raw(Buffer.from(letter, 'latin1'));
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  int(size: 1 | 2 | 4, value: number): this {
    const bytes = Buffer.alloc(size);
    bytes.writeUIntBE(value, 0, size);
    return this.raw(bytes);
  }

  int64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
    return this.raw(bytes);
  }

  text(text: string): this {
    return this.raw(Buffer.from(`${text}\0`));
  }

  tuple(tuple: Tuple): this {
    this.int(2, tuple.length);
    for (const value of tuple) {
      if (value === null) this.letter('n');
      else if (value === undefined) this.letter('u');
      else {
        const bytes = Buffer.from(value);
        this.letter('t').int(4, bytes.length).raw(bytes);
      }
    }
    return this;
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function encode(message: PgOutputMessage): Buffer {
  const writer = new Writer();
  switch (message.kind) {
    case 'begin':
      writer
        .letter('B')
        .int64(message.commitLsn)
        .int64(message.commitTime - POSTGRES_EPOCH);
      return writer.int(4, message.xid).done();
    case 'commit':
      writer.letter('C').int(1, 0).int64(message.commitLsn).int64(message.endLsn);
      return writer.int64(message.commitTime - POSTGRES_EPOCH).done();
    case 'origin':
      return writer.letter('O').int64(7n).text(message.name).done();
    case 'relation':
      writer
        .letter('R')
        .int(4, message.id)
        .text(message.schema === 'pg_catalog' ? '' : message.schema);
      writer.text(message.table).letter(message.identity).int(2, message.columns.length);
      for (const { key, name, typeOid } of message.columns) {
        writer
          .int(1, key ? 1 : 0)
          .text(name)
          .int(4, typeOid)
          .int(4, 0xffff_ffff);
      }
      return writer.done();
    case 'type':
      return writer.letter('Y').int(4, message.oid).text(message.schema).text(message.name).done();
    case 'insert':
      return writer.letter('I').int(4, message.relation).letter('N').tuple(message.row).done();
    case 'update':
      writer.letter('U').int(4, message.relation);
      if (message.old !== null) writer.letter(message.oldIsKey ? 'K' : 'O').tuple(message.old);
      return writer.letter('N').tuple(message.row).done();
    case 'delete':
      writer
        .letter('D')
        .int(4, message.relation)
        .letter(message.oldIsKey ? 'K' : 'O');
      return writer.tuple(message.old).done();
    case 'truncate':
      writer.letter('T').int(4, message.relations.length).int(1, 3);
      for (const id of message.relations) writer.int(4, id);
      return writer.done();
    case 'message':
      writer.letter('M').int(1, 1).int64(9n).text(message.prefix).int(4, message.content.length);
      return writer.raw(message.content).done();
  }
}

const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const time = fc.bigInt({ min: 0n, max: 2n ** 52n });
const oid = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const name = fc
  .string({ unit: 'grapheme', minLength: 1 })
  .filter((text) => !text.includes('\0') && text !== 'pg_catalog');
const tuple = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(null), fc.constant(undefined)), {
  maxLength: 6,
});
const column = fc.record({ key: fc.boolean(), name, typeOid: oid });
const kind = <K extends PgOutputMessage['kind']>(one: K) => fc.constant(one);
const message: fc.Arbitrary<PgOutputMessage> = fc.oneof(
  fc.record({ kind: kind('begin'), commitLsn: lsn, commitTime: time, xid: oid }),
  fc.record({ kind: kind('commit'), commitLsn: lsn, endLsn: lsn, commitTime: time }),
  fc.record({ kind: kind('origin'), name }),
  fc.record({
    kind: kind('relation'),
    id: oid,
    schema: fc.oneof(name, fc.constant('pg_catalog')),
    table: name,
    identity: fc.constantFrom('d', 'n', 'f', 'i'),
    columns: fc.array(column, { maxLength: 5 }),
  }),
  fc.record({ kind: kind('type'), oid, schema: name, name }),
  fc.record({ kind: kind('insert'), relation: oid, row: tuple }),
  fc.record({ kind: kind('update'), relation: oid, old: tuple, oldIsKey: fc.boolean(), row: tuple }),
  fc.record({
    kind: kind('update'),
    relation: oid,
    old: fc.constant(null),
    oldIsKey: fc.constant(false),
    row: tuple,
  }),
  fc.record({ kind: kind('delete'), relation: oid, old: tuple, oldIsKey: fc.boolean() }),
  fc.record({ kind: kind('truncate'), relations: fc.array(oid, { maxLength: 4 }) }),
);

describe('a replication message', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(message, (written) => {
        expect(decodePgOutput(encode(written))).toEqual(written);
      }),
      { numRuns: 1_000 },
    );
  });

  it('that is cut short is a RangeError, never half a message', () => {
    fc.assert(
      fc.property(message, fc.nat(), (written, at) => {
        const bytes = encode(written);
        const cut = bytes.subarray(0, at % bytes.length);
        expect(() => decodePgOutput(cut)).toThrow(RangeError);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a log position', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(lsn, (position) => {
        expect(parseLsn(formatLsn(position))).toBe(position);
      }),
    );
    expect(parseLsn('16/B374D848')).toBe(0x16_b374_d848n);
  });
});
