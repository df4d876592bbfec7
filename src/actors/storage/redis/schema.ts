import { createHash } from 'node:crypto';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { JsonValue } from '../../../protocol/query.ts';
import type { ColumnInfo, ExecuteContext, SchemaSnapshot, TableInfo } from '../engine.ts';
import { readFacts } from './collection.ts';
import type { StoredDocument } from './documents.ts';
import type { DocumentStore } from './store.ts';

/** PostgreSQL's name for what a value is, which the project's document and types are made from. */
function typeOf(value: JsonValue): string {
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'bigint' : 'double precision';
    case 'bigint':
      return 'numeric';
    case 'boolean':
      return 'boolean';
    case 'string':
      return 'text';
    default:
      return 'jsonb';
  }
}

/** One type for two: a number stays a number, anything else mixed may be any JSON. */
function widen(left: string, right: string): string {
  if (left === right) return left;
  const numbers = ['bigint', 'double precision', 'numeric'];
  return numbers.includes(left) && numbers.includes(right) ? 'numeric' : 'jsonb';
}

/** Fields as a sample of documents has them; there may be others. */
export function columnsOf(documents: readonly StoredDocument[]): readonly ColumnInfo[] {
  const types = new Map<string, string>();
  for (const { document } of documents) {
    for (const [name, value] of Object.entries(document)) {
      if (value === null) {
        if (!types.has(name)) types.set(name, '');
        continue;
      }
      const known = types.get(name);
      types.set(name, known === undefined || known === '' ? typeOf(value) : widen(known, typeOf(value)));
    }
  }
  const id: ColumnInfo = {
    ...{ name: 'id', type: types.get('id') ?? 'text', nullable: false, hasDefault: true, primaryKey: 1 },
  };
  const others = [...types].filter(([name]) => name !== 'id').slice(0, REDIS_LIMITS.inferredColumns);
  return [
    id,
    ...others.map(([name, type]) => ({
      ...{ name, type: type || 'jsonb', nullable: true, hasDefault: false, primaryKey: 0 },
    })),
  ];
}

/** Collections, with fields inferred from the newest documents of each; of the first so many collections. */
export async function readSchema(store: DocumentStore, context: ExecuteContext): Promise<SchemaSnapshot> {
  const reply = await store.session.run(context, 'HGETALL', [store.keys.collections]);
  const pairs = reply as readonly string[]; // HGETALL's reply: names and values in turn
  const registry = new Map<string, string>();
  for (let at = 0; at < pairs.length; at += 2) registry.set(pairs[at] ?? '', pairs[at + 1] ?? '');
  const names = [...registry.keys()].toSorted();
  const sampled = names.slice(0, REDIS_LIMITS.sampledCollections);
  const pages = await Promise.all(
    sampled.map((name) =>
      store
        .page(name, { offset: 0, limit: REDIS_LIMITS.sampledDocuments, reverse: true }, context)
        .catch(() => null),
    ),
  );
  const tables = new Map<string, TableInfo>();
  names.forEach((name, at) => {
    const columns = columnsOf(pages[at]?.documents ?? []);
    const { indexes } = readFacts(registry.get(name) ?? '');
    const unique = indexes
      .filter((index) => index.unique && index.state === 'ready')
      .map(({ field }) => [field]);
    tables.set(name, { schema: 'public', name, kind: 'table', columns, unique: [['id'], ...unique] });
  });
  const version = createHash('sha256')
    .update(JSON.stringify([...tables.values()]))
    .digest('hex')
    .slice(0, 16);
  return { version, tables };
}
