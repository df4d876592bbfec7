/**
 * PostgreSQL's logical replication messages (pgoutput, protocol version 1), as
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html lays them out.
 */

/** A position in the write-ahead log. */
export type Lsn = bigint;

/** Column values as text; null for NULL, undefined for a TOAST value that did not change and was not sent. */
export type Tuple = readonly (string | null | undefined)[];

export interface RelationColumn {
  readonly key: boolean;
  readonly name: string;
  readonly typeOid: number;
}

export type PgOutputMessage =
  /** `commitLsn` is where the commit record starts; `commitTime` microseconds since the Unix epoch. */
  | { readonly kind: 'begin'; readonly commitLsn: Lsn; readonly commitTime: bigint; readonly xid: number }
  | { readonly kind: 'commit'; readonly commitLsn: Lsn; readonly endLsn: Lsn; readonly commitTime: bigint }
  | { readonly kind: 'origin'; readonly name: string }
  | {
      readonly kind: 'relation';
      readonly id: number;
      readonly schema: string;
      readonly table: string;
      /** `f` is full: old rows come whole. */
      readonly identity: string;
      readonly columns: readonly RelationColumn[];
    }
  | { readonly kind: 'type'; readonly oid: number; readonly schema: string; readonly name: string }
  | { readonly kind: 'insert'; readonly relation: number; readonly row: Tuple }
  | {
      readonly kind: 'update';
      readonly relation: number;
      /** The whole old row, or its key columns where only those are known, or null. */
      readonly old: Tuple | null;
      readonly oldIsKey: boolean;
      readonly row: Tuple;
    }
  | { readonly kind: 'delete'; readonly relation: number; readonly old: Tuple; readonly oldIsKey: boolean }
  | { readonly kind: 'truncate'; readonly relations: readonly number[] }
  | { readonly kind: 'message'; readonly prefix: string; readonly content: Uint8Array };

/** Microseconds from the Unix epoch to PostgreSQL's (2000-01-01). */
export const POSTGRES_EPOCH = 946_684_800_000_000n;

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  letter(): string {
    return String.fromCharCode(this.byte());
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  uint32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32BE(this.#at - 4);
  }

  uint64(): bigint {
    this.#at += 8;
    return this.#bytes.readBigUInt64BE(this.#at - 8);
  }

  time(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8) + POSTGRES_EPOCH;
  }

  string(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new RangeError('a string without its end');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#bytes.length) throw new RangeError('shorter than it says');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  tuple(): Tuple {
    const values: (string | null | undefined)[] = [];
    for (let left = this.int16(); left > 0; left -= 1) {
      const kind = this.letter();
      if (kind === 'n') values.push(null);
      else if (kind === 'u') values.push(undefined);
      else if (kind === 't') values.push(this.take(this.int32()).toString('utf8'));
      else throw new RangeError(`a column value of kind ${kind}`);
    }
    return values;
  }
}

/** Decodes one message. Throws RangeError for what is none, or is cut short. */
export function decodePgOutput(bytes: Buffer): PgOutputMessage {
  const reader = new Reader(bytes);
  const kind = reader.letter();
  switch (kind) {
    case 'B':
      return { kind: 'begin', commitLsn: reader.uint64(), commitTime: reader.time(), xid: reader.uint32() };
    case 'C':
      reader.byte();
      return {
        kind: 'commit',
        commitLsn: reader.uint64(),
        endLsn: reader.uint64(),
        commitTime: reader.time(),
      };
    case 'O':
      reader.uint64();
      return { kind: 'origin', name: reader.string() };
    case 'R':
      return relation(reader);
    case 'Y':
      return { kind: 'type', oid: reader.uint32(), schema: reader.string(), name: reader.string() };
    case 'I': {
      const id = reader.uint32();
      expectLetter(reader, 'N');
      return { kind: 'insert', relation: id, row: reader.tuple() };
    }
    case 'U':
      return update(reader);
    case 'D': {
      const id = reader.uint32();
      const image = reader.letter();
      return { kind: 'delete', relation: id, oldIsKey: image === 'K', old: reader.tuple() };
    }
    case 'T':
      return truncate(reader);
    case 'M': {
      reader.byte();
      reader.uint64();
      return { kind: 'message', prefix: reader.string(), content: reader.take(reader.int32()) };
    }
    default:
      throw new RangeError(`a replication message of kind ${kind}`);
  }
}

function expectLetter(reader: Reader, wanted: string): void {
  const found = reader.letter();
  if (found !== wanted) throw new RangeError(`${found} where ${wanted} belongs`);
}

function relation(reader: Reader): PgOutputMessage {
  const id = reader.uint32();
  const schema = reader.string();
  const table = reader.string();
  const identity = reader.letter();
  const columns: RelationColumn[] = [];
  for (let left = reader.int16(); left > 0; left -= 1) {
    const key = (reader.byte() & 1) === 1;
    columns.push({ key, name: reader.string(), typeOid: reader.uint32() });
    reader.int32();
  }
  // An empty schema name stands for pg_catalog.
  return { kind: 'relation', id, schema: schema || 'pg_catalog', table, identity, columns };
}

function update(reader: Reader): PgOutputMessage {
  const id = reader.uint32();
  const image = reader.letter();
  if (image === 'N') return { kind: 'update', relation: id, old: null, oldIsKey: false, row: reader.tuple() };
  const old = reader.tuple();
  expectLetter(reader, 'N');
  return { kind: 'update', relation: id, old, oldIsKey: image === 'K', row: reader.tuple() };
}

function truncate(reader: Reader): PgOutputMessage {
  const count = reader.int32();
  reader.byte();
  const relations: number[] = [];
  for (let left = count; left > 0; left -= 1) relations.push(reader.uint32());
  return { kind: 'truncate', relations };
}

/** `16/B374D848` to a number. */
export function parseLsn(text: string): Lsn {
  const [high = '0', low = '0'] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export const formatLsn = (lsn: Lsn): string =>
  `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
