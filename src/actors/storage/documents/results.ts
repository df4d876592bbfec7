import { type Document, serialize } from 'bson';
import { DOCUMENT_LIMITS } from '../../../limits-documents.ts';
import { type Plan, planAccess } from './access.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import { Candidates } from './candidates.ts';
import { type CollectionInfo, tableOf } from './catalog.ts';
import type { Stored } from './collection.ts';
import { holding, mayHold } from './held-thread.ts';
import { compileFilter, type Predicate } from './matcher.ts';
import type { Operation } from './operation.ts';
import type { Projector } from './projection.ts';
import { pickFields } from './raw-fields.ts';
import { readSort, Sorter } from './sorting.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { readDocument } from './wire.ts';

/** Where a read looks, asked for each slice anew: another connection may be the right one by then. */
export type ReadFile = () => SqliteFile;

/** Documents to send, as bytes, in batches. */
export interface Results {
  readonly done: boolean;
  /** At most `count` documents and about `bytes` of them; fewer only where there are no more, or they are large. */
  next(operation: Operation, count: number, bytes: number): Promise<readonly Buffer[]>;
}

/** What a read wants of a collection. */
export interface Selection {
  readonly filter: Document;
  readonly sort: Document | null;
  readonly skip: number;
  /** 0: all. */
  readonly limit: number;
}

/** Whether an access by `_id` finds exactly what the filter means. */
function isKeyOnly(filter: Document, plan: Plan): boolean {
  if (plan.access.kind !== 'keys') return false;
  const entries = Object.entries(filter);
  const [first] = entries;
  if (entries.length !== 1 || first?.[0] !== '_id') return false;
  const condition: BsonValue = first[1];
  return !isPlainDocument(condition) || Object.keys(condition).join() === '$in';
}

/** Stored documents that match, in slices, unsorted or in the order of their access. */
export class Matches {
  readonly #candidates: Candidates;
  readonly #predicate: Predicate | null;
  readonly #mayHold: boolean;
  readonly #file: ReadFile;

  constructor(collection: CollectionInfo, filter: Document, plan: Plan, file: ReadFile) {
    const compiled = compileFilter(filter); // Also where it is not needed: a filter that is none must be refused.
    const matchesAll = Object.keys(filter).length === 0 || isKeyOnly(filter, plan);
    this.#predicate = matchesAll ? null : compiled;
    this.#mayHold = mayHold(filter);
    this.#candidates = new Candidates(collection, plan.access);
    this.#file = file;
  }

  get done(): boolean {
    return this.#candidates.done;
  }

  /** @param wanted more than so many are not needed now. */
  async next(operation: Operation, wanted?: number): Promise<readonly Stored[]> {
    operation.check();
    const predicate = this.#predicate;
    // Of what is tested nobody knows how many will do.
    const found = this.#candidates.next(this.#file(), operation, predicate === null ? wanted : undefined);
    const matching = predicate === null ? found : this.#test(found, predicate);
    if (!this.done) await operation.breathe();
    return matching;
  }

  #test(found: readonly Stored[], predicate: Predicate): readonly Stored[] {
    const test = () => found.filter(({ bytes }) => predicate(readDocument(bytes)));
    return this.#mayHold && found.length > 0 ? holding(DOCUMENT_LIMITS.heldMs, test) : test();
  }
}

/** Documents from memory. */
export class ListResults implements Results {
  readonly #documents: readonly Buffer[];
  #at = 0;

  constructor(documents: readonly Buffer[]) {
    this.#documents = documents;
  }

  get done(): boolean {
    return this.#at >= this.#documents.length;
  }

  next(_operation: Operation, count: number, bytes: number): Promise<readonly Buffer[]> {
    const batch: Buffer[] = [];
    for (let size = 0; !this.done && batch.length < count && size < bytes; this.#at += 1) {
      const document = this.#documents[this.#at];
      if (document === undefined) break;
      if (batch.length > 0 && size + document.length > bytes) break;
      batch.push(document);
      size += document.length;
    }
    return Promise.resolve(batch);
  }
}

/** What a find gives: matches, sorted where they do not come sorted, within skip and limit. */
export class FindResults implements Results {
  readonly #matches: Matches;
  readonly #projector: Projector | null;
  readonly #sorter: Sorter<Buffer> | null;
  #skip: number;
  #left: number;
  #ready: Buffer[] = [];
  #sorted = false;

  constructor(collection: CollectionInfo, selection: Selection, projector: Projector | null, file: ReadFile) {
    const { filter, sort, skip, limit } = selection;
    const plan = planAccess(collection, filter, sort);
    this.#matches = new Matches(collection, filter, plan, file);
    this.#projector = projector;
    this.#skip = skip;
    this.#left = limit === 0 ? Number.POSITIVE_INFINITY : limit;
    const keep = skip + this.#left;
    this.#sorter = sort === null || plan.sorted ? null : new Sorter(readSort(sort), keep);
  }

  get done(): boolean {
    const isDry = this.#sorter === null ? this.#matches.done : this.#sorted;
    return this.#left === 0 || (isDry && this.#ready.length === 0);
  }

  async next(operation: Operation, count: number, bytes: number): Promise<readonly Buffer[]> {
    if (this.#sorter !== null && !this.#sorted) await this.#sort(this.#sorter, operation);
    const batch: Buffer[] = [];
    let size = 0;
    while (!this.done && batch.length < count && size < bytes) {
      if (this.#ready.length === 0) {
        const wanted = this.#skip + Math.min(this.#left, count - batch.length);
        for (const stored of await this.#matches.next(operation, wanted)) this.#ready.push(stored.bytes);
        this.#pass();
        continue;
      }
      const [document] = this.#ready;
      if (document === undefined || (batch.length > 0 && size + document.length > bytes)) break;
      this.#ready.shift();
      this.#left -= 1;
      batch.push(this.#project(document));
      size += document.length;
    }
    return batch;
  }

  /** Leaves out what is to be skipped. */
  #pass(): void {
    const passed = Math.min(this.#skip, this.#ready.length);
    if (passed === 0) return;
    this.#ready.splice(0, passed);
    this.#skip -= passed;
  }

  async #sort(sorter: Sorter<Buffer>, operation: Operation): Promise<void> {
    while (!this.#matches.done) {
      for (const { bytes } of await this.#matches.next(operation))
        sorter.add(readDocument(bytes), bytes, bytes.length);
    }
    this.#ready = [...sorter.sorted()];
    this.#sorted = true;
    this.#pass();
  }

  #project(bytes: Buffer): Buffer {
    if (this.#projector === null) return bytes;
    const { project, names } = this.#projector;
    const picked = names === null ? null : pickFields(bytes, names);
    return picked ?? Buffer.from(serialize(project(readDocument(bytes)), { ignoreUndefined: true }));
  }
}

/** How many documents match. */
export async function countMatches(
  collection: CollectionInfo,
  filter: Document,
  file: ReadFile,
  operation: Operation,
): Promise<number> {
  if (Object.keys(filter).length === 0)
    return Number(file().get(`SELECT count(*) FROM ${tableOf(collection)}`)?.[0] ?? 0);
  const matches = new Matches(collection, filter, planAccess(collection, filter, null), file);
  let count = 0;
  while (!matches.done) count += (await matches.next(operation)).length;
  return count;
}
