import type { Document } from 'bson';
import { planAccess } from './access.ts';
import { tableOf } from './catalog.ts';
import type { Stored, WriteTarget } from './collection.ts';
import type { Operation } from './operation.ts';
import { Matches } from './results.ts';
import { blob } from './sqlite-file.ts';

/** Places of the documents that match: found first, so that what a write changes cannot come up again. */
export async function placesOf(
  target: WriteTarget,
  filter: Document,
  most: number,
  operation: Operation,
): Promise<readonly number[]> {
  const { collection, file } = target;
  const matches = new Matches(collection, filter, planAccess(collection, filter, null), () => file);
  const places: number[] = [];
  while (!matches.done && places.length < most)
    for (const { rid } of await matches.next(operation)) places.push(rid);
  return places.slice(0, most);
}

export function storedAt({ file, collection }: WriteTarget, rid: number): Stored {
  const row = file.get(`SELECT doc FROM ${tableOf(collection)} WHERE rid = ?`, rid);
  return { rid, bytes: blob(row?.[0]) };
}
