import type { Document } from 'bson';
import { planAccess } from './access.ts';
import { tableOf } from './catalog.ts';
import type { Stored, WriteTarget } from './collection.ts';
import type { Operation } from './operation.ts';
import { Matches } from './results.ts';
import { readSort, Sorter } from './sorting.ts';
import { blob } from './sqlite-file.ts';
import { readDocument } from './wire.ts';

/** What a place costs to keep with what it is sorted by, about. */
const PLACE_BYTES = 64;

/**
 * Places of the documents that match: found first, so that what a write changes cannot come up again.
 * @param sort empty: in no order.
 */
export async function placesOf(
  target: WriteTarget,
  filter: Document,
  most: number,
  operation: Operation,
  sort: Document = {},
): Promise<readonly number[]> {
  const { collection, file } = target;
  const order = Object.keys(sort).length === 0 ? null : sort;
  const plan = planAccess(collection, filter, order);
  const matches = new Matches(collection, filter, plan, () => file);
  if (order !== null && !plan.sorted) {
    const sorter = new Sorter<number>(readSort(order), most);
    while (!matches.done)
      for (const { rid, bytes } of await matches.next(operation))
        sorter.add(readDocument(bytes), rid, PLACE_BYTES);
    return sorter.sorted();
  }
  const places: number[] = [];
  while (!matches.done && places.length < most)
    for (const { rid } of await matches.next(operation)) places.push(rid);
  return places.slice(0, most);
}

export function storedAt({ file, collection }: WriteTarget, rid: number): Stored {
  const row = file.get(`SELECT doc FROM ${tableOf(collection)} WHERE rid = ?`, rid);
  return { rid, bytes: blob(row?.[0]) };
}
