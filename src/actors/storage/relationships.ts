import { MagError } from '../../errors.ts';
import type { CallQuery, Embed, Join, Query, SelectItem } from '../../protocol/query.ts';
import type { SchemaSnapshot, TableInfo } from './engine.ts';
import { type Relationship, relationshipsOf } from './relationship-graph.ts';

/** Where what is embedded hangs; a call's result may be rows of no table. */
type Origin = Pick<TableInfo, 'schema' | 'name'>;

const onlyColumn = (columns: readonly string[]): string | null =>
  columns.length === 1 ? (columns[0] ?? null) : null;

/** Whether a name means the relationship by its foreign key, or by that key's only column at its start. */
function namesKey({ cardinality, name, join }: Relationship, word: string): boolean {
  if (cardinality === 'many-to-many' || cardinality === 'computed') return false;
  return name === word || (cardinality !== 'one-to-many' && join.toOne && onlyColumn(join.from) === word);
}

function fits(relationship: Relationship, { relation, hint }: Embed): boolean {
  const { self, cardinality, join } = relationship;
  if (cardinality === 'computed') return relationship.name === relation;
  const isTarget = join.table === relation;
  if (hint !== undefined) {
    const byOther = cardinality !== 'many-to-many' && onlyColumn(join.to) === hint;
    if (self) return isTarget && cardinality === 'one-to-many' && byOther;
    if (cardinality === 'many-to-many') return isTarget && relationship.name === hint;
    return isTarget && (byOther || namesKey(relationship, hint));
  }
  // Of a table with itself one foreign key makes two: its rows are named by the table, the one above by the column.
  if (self)
    return (
      (isTarget && cardinality === 'one-to-many') ||
      (cardinality === 'many-to-one' && onlyColumn(join.from) === relation)
    );
  return isTarget || (!relationship.toView && namesKey(relationship, relation));
}

function noRelationship(
  origin: Origin,
  { relation, hint }: Embed,
  candidates: readonly Relationship[],
): MagError {
  const using = hint === undefined ? '' : ` using the hint '${hint}'`;
  const between = `'${origin.name}' and '${relation}'`;
  const similar = candidates.map(({ join }) => join.table).find((table) => isSimilar(table, relation));
  return new MagError(
    'PGRST200',
    { origin: origin.name, target: relation },
    {
      details: `Searched for a foreign key relationship between ${between}${using} in the schema '${origin.schema}', but no matches were found.`,
      hint: similar === undefined ? null : `Perhaps you meant '${similar}' instead of '${relation}'.`,
    },
  );
}

/** A plural, a typing error at the end: enough to point somewhere. */
const isSimilar = (table: string, asked: string): boolean =>
  table !== asked && (table.startsWith(asked) || asked.startsWith(table));

function ambiguous(origin: Origin, { relation }: Embed, found: readonly Relationship[]): MagError {
  const hints = found.map(({ name }) => `'${relation}!${name}'`).join(', ');
  return new MagError(
    'PGRST201',
    { origin: origin.name, target: relation },
    {
      details: found.map(({ cardinality, words, join }) => ({
        cardinality,
        embedding: `${origin.name} with ${join.table}`,
        relationship: words,
      })),
      hint: `Try changing '${relation}' to one of the following: ${hints}. Find the desired relationship in the 'details' key.`,
    },
  );
}

/** How an embed hangs on the table around it. Throws PGRST200 where nothing leads there, PGRST201 where several do. */
export function joinOf(embed: Embed, origin: Origin, snapshot: SchemaSnapshot): Join {
  // As PostgREST: what is embedded is in the schema of what embeds it, wherever the table in between is.
  const near = relationshipsOf(snapshot, origin).filter(({ schema }) => schema === origin.schema);
  const found = near.filter((relationship) => fits(relationship, embed));
  const [first] = found;
  if (first === undefined) throw noRelationship(origin, embed, near);
  if (found.length > 1) throw ambiguous(origin, embed, found);
  return first.join;
}

function resolveItems(
  items: readonly SelectItem[],
  origin: Origin,
  snapshot: SchemaSnapshot,
): readonly SelectItem[] {
  return items.map((item) => {
    if (item.kind !== 'embed') return item;
    const join = item.embed.join ?? joinOf(item.embed, origin, snapshot);
    const select = resolveItems(item.embed.select, { schema: join.schema, name: join.table }, snapshot);
    return { kind: 'embed', embed: { ...item.embed, join, select } };
  });
}

/** The table whose rows a function gives, if it is one; what embeds hang on. */
function originOf(query: Query | CallQuery, snapshot: SchemaSnapshot): Origin {
  if (query.kind !== 'call') return { schema: query.schema, name: query.table };
  const { schema, function: name } = query;
  for (const each of snapshot.functions ?? []) {
    if (each.schema === schema && each.name === name && each.returns.table !== null)
      return each.returns.table;
  }
  return { schema, name };
}

const itemsOf = (query: Query | CallQuery): readonly SelectItem[] =>
  query.kind === 'select' || query.kind === 'call' ? query.select : (query.returning ?? []);

/** Whether other tables are embedded in what the query gives. */
export const hasEmbeds = (query: Query | CallQuery): boolean =>
  itemsOf(query).some((item) => item.kind === 'embed');

/**
 * Fills in, at every depth, how each embedded table hangs on the one around it.
 * Throws PGRST200 where there is no relationship, PGRST201 where there are several and no hint tells which.
 */
export function resolveEmbeds<Of extends Query | CallQuery>(query: Of, snapshot: SchemaSnapshot): Of {
  if (!hasEmbeds(query)) return query;
  const items = resolveItems(itemsOf(query), originOf(query, snapshot), snapshot);
  return query.kind === 'select' || query.kind === 'call'
    ? { ...query, select: items }
    : { ...query, returning: items };
}
