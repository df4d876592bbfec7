import { MagError } from '../../errors.ts';
import { stringifyExact } from '../../protocol/exact-json.ts';
import type { Row } from '../../protocol/query.ts';
import type { ProjectClient } from '../project-client.ts';

/** Ids that a page is found again by: as many of the last rows may be deleted meanwhile. */
const ANCHORS = 20;

/** How far a collection was read: where the last row stood, and the last rows' ids, as JSON. */
export interface DocumentPlace {
  readonly at: number;
  readonly ids: readonly string[];
}

export interface DocumentPage {
  readonly rows: readonly Row[];
  readonly place: DocumentPlace;
  /** Whether nothing was behind it; a page may be short, or empty, for rows that came before it. */
  readonly isLast: boolean;
}

export const FIRST_PLACE: DocumentPlace = { at: -1, ids: [] };

const idOf = (row: Row): string => stringifyExact(row.id ?? null);

/**
 * The rows of a collection behind a place, and the new one. Ids may be numbers, texts and more beside each other, and a
 * filter compares each kind with its own: rows behind the last of one kind are found by where they stand alone. So each
 * page begins a page earlier, and goes on behind the last row that was read. Throws MAG_EXPORT_MOVED.
 */
export async function readDocuments(
  project: ProjectClient,
  { table, page }: { readonly table: string; readonly page: number },
  place: DocumentPlace,
): Promise<DocumentPage> {
  const offset = Math.max(0, place.at + 1 - page);
  const limit = place.at + 1 - offset + page;
  const search = new URLSearchParams({ order: 'id', offset: String(offset), limit: String(limit) });
  const path = `/rest/v1/${encodeURIComponent(table)}?${search}`;
  const seen = (await project.request(path)) as readonly Row[]; // the contract's shape of a list
  const known = new Set(place.ids);
  const last = seen.findLastIndex((row) => known.has(idOf(row)));
  if (last === -1 && place.ids.length > 0 && (offset > 0 || seen.length > 0))
    throw new MagError('MAG_EXPORT_MOVED', { table });
  const rows = seen.slice(last + 1);
  const ids = [...place.ids, ...rows.map(idOf)].slice(-ANCHORS);
  return { rows, isLast: seen.length < limit, place: { at: offset + seen.length - 1, ids } };
}
