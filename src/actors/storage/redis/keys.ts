import { NUMERIC, readBoolean } from '../../../protocol/compare-scalars.ts';

/**
 * Keys of a project, below its prefix `mag_TAG_REF:`. A document is `c:COLLECTION:ID`; what starts with `$` is the
 * engine's own: `$collections` (a hash: collection → its indexes), `$ids:COLLECTION` (a sorted set of members, all of
 * score 0, so that it is in the order of the ids), `$index:COLLECTION:FIELD` (the same of values with members), `$record:KEY` and `$records`, of idempotency keys.
 */
export class ProjectKeys {
  readonly prefix: string;
  readonly collections: string;
  readonly records: string;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.collections = `${prefix}$collections`;
    this.records = `${prefix}$records`;
  }

  /** While a transaction that claimed the idempotency key is under way. */
  claim(key: string): string {
    return `${this.prefix}$claim:${key}`;
  }

  /** Of an idempotency key. */
  record(key: string): string {
    return `${this.prefix}$record:${key}`;
  }

  /** What a document's key begins with; its id is the rest. */
  documents(collection: string): string {
    return `${this.prefix}c:${part(collection)}:`;
  }

  ids(collection: string): string {
    return `${this.prefix}$ids:${part(collection)}`;
  }

  index(collection: string, field: string): string {
    return `${this.prefix}$index:${part(collection)}:${part(field)}`;
  }
}

/** A document's key: a tenant's own command may read it, and not write, since indexes are kept in step. */
export const isDocument = (key: string): boolean => key.startsWith('c:');

/** What a tenant's own command neither reads nor writes. */
export const isEnginesOwn = (key: string): boolean => key.startsWith('$');

/** A name between colons. */
const part = (name: string): string => name.replaceAll('%', '%25').replaceAll(':', '%3A');

const view = new DataView(new ArrayBuffer(8));

/** Sixteen hexadecimal digits that sort as the numbers do: the bits of a double, negative ones turned over. */
function sortable(value: number): string {
  view.setFloat64(0, value === 0 ? 0 : value);
  const high = view.getUint32(0);
  const low = view.getUint32(4);
  const negative = high >= 0x8000_0000;
  const first = negative ? ~high >>> 0 : (high | 0x8000_0000) >>> 0;
  const second = negative ? ~low >>> 0 : low;
  return first.toString(16).padStart(8, '0') + second.toString(16).padStart(8, '0');
}

/** An id as it stands in a key: a number and a text that look alike name the same document. */
export const idText = (id: string | number): string =>
  typeof id === 'number' ? String(id === 0 ? 0 : id) : id;

/** An id as a member of a sorted set whose order, byte by byte, is: numbers by size, then texts by code points. */
export const memberOf = (id: string | number): string =>
  typeof id === 'number' ? `n${sortable(id)}${idText(id)}` : `t${id}`;

/** Texts that documents' ids may have which a filter's text equals; the filter itself decides. */
export function idCandidates(text: string): readonly string[] {
  const found = new Set([text]);
  if (NUMERIC.test(text)) found.add(idText(Number(text)));
  else {
    const truth = readBoolean(text);
    if (truth !== null) found.add(truth ? '1' : '0');
  }
  return [...found];
}
