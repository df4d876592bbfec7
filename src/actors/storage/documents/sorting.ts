import type { Document } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { keyOf } from './bson-key.ts';
import { DocumentError } from './document-error.ts';
import { keyValues, splitPath } from './field-path.ts';

interface SortField {
  readonly path: readonly string[];
  readonly direction: 1 | -1;
}

export type SortSpec = readonly SortField[];

/** Throws BadValue for a sort that is none of ascending and descending fields. */
export function readSort(sort: Document): SortSpec {
  return Object.entries(sort).map(([name, value]) => {
    const direction = Number(value);
    if (direction !== 1 && direction !== -1)
      throw new DocumentError(
        'BadValue',
        '$sort key ordering must be 1 (for ascending) or -1 (for descending)',
      );
    return { path: splitPath(name), direction };
  });
}

/** What a document is sorted by: of an array its least element ascending, its greatest descending. */
function sortKeys(document: Document, spec: SortSpec): readonly Buffer[] {
  return spec.map(({ path, direction }) => {
    const keys = keyValues(document, path).map(keyOf);
    return keys.reduce((a, b) => (Buffer.compare(a, b) * direction <= 0 ? a : b));
  });
}

function compareKeys(a: readonly Buffer[], b: readonly Buffer[], spec: SortSpec): number {
  for (const [index, { direction }] of spec.entries()) {
    const left = a[index];
    const right = b[index];
    const order = left === undefined || right === undefined ? 0 : Buffer.compare(left, right);
    if (order !== 0) return order * direction;
  }
  return 0;
}

interface Entry<Item> {
  readonly keys: readonly Buffer[];
  readonly item: Item;
  readonly bytes: number;
}

/** Sorts what is put in, and keeps no more than the first `keep` of it. */
export class Sorter<Item> {
  readonly #spec: SortSpec;
  readonly #keep: number;
  #entries: Entry<Item>[] = [];
  #bytes = 0;

  constructor(spec: SortSpec, keep: number) {
    this.#spec = spec;
    this.#keep = keep;
  }

  /** Throws ExceededMemoryLimit. */
  add(document: Document, item: Item, bytes: number): void {
    this.#entries.push({ keys: sortKeys(document, this.#spec), item, bytes });
    this.#bytes += bytes;
    if (this.#entries.length >= this.#keep * 2 + DOCUMENT_LIMITS.sliceRows) this.#cut();
    if (this.#bytes > DOCUMENT_LIMITS.sortBytes)
      throw new DocumentError(
        'ExceededMemoryLimit',
        `Sort exceeded memory limit of ${DOCUMENT_LIMITS.sortBytes} bytes`,
      );
  }

  sorted(): readonly Item[] {
    this.#cut();
    return this.#entries.map(({ item }) => item);
  }

  #cut(): void {
    // Array.prototype.sort is stable: documents of equal keys stay in the order in which they were found.
    this.#entries.sort((a, b) => compareKeys(a.keys, b.keys, this.#spec));
    if (this.#entries.length <= this.#keep) return;
    for (const { bytes } of this.#entries.splice(this.#keep)) this.#bytes -= bytes;
  }
}
