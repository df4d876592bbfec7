import { sameValue } from './bson-key.ts';
import { type BsonValue, isPlainDocument } from './bson-value.ts';
import type { CollectionInfo } from './catalog.ts';
import { badValue } from './document-error.ts';

/**
 * A hint must name an index that there is. The planner needs no advice: what it finds is the same by any index.
 * Throws BadValue.
 */
export function requireHint(collection: CollectionInfo | null, hint: BsonValue): void {
  if (hint === undefined || hint === null || collection === null) return;
  if (isPlainDocument(hint)) {
    const [first] = Object.keys(hint);
    if (first === undefined || first === '$natural' || sameValue(hint, { _id: 1 })) return;
    if (collection.indexes.some(({ key }) => sameValue(key, hint))) return;
  } else if (typeof hint === 'string') {
    if (hint === '_id_' || collection.indexes.some(({ name }) => name === hint)) return;
  } else throw badValue('hint must be an index name or the key of one');
  throw badValue(
    'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
  );
}
