import { MagError } from '../../errors.ts';
import type { CallQuery, Embed, Join, Query, SelectItem } from '../../protocol/query.ts';
import type { SchemaSnapshot, TableInfo } from './engine.ts';
import { originsIn, type Relationship, relationshipsOf } from './relationship-graph.ts';
import { similarName } from './similar-name.ts';
import { findTable } from './sql/tables.ts';

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

interface Meant {
  readonly hint?: string;
  readonly names?: readonly string[];
}

/** What of the two was meant; nothing where what leads from the one to the other is the question, as with a wrong hint. */
function meant(origin: Origin, relation: string, near: readonly Relationship[], all: Origins): Meant {
  const [asked, names] =
    near.length === 0 ? [origin.name, all()] : [relation, near.map(({ join }) => join.table)];
  if (names.some((name) => name.toLowerCase() === asked.toLowerCase())) return {};
  const name = similarName(asked, [...new Set(names)]);
  if (name === null) return {};
  return { hint: `Perhaps you meant '${name}' instead of '${asked}'.`, names: [`${origin.schema}.${name}`] };
}

/** Names of the tables in the schema that something leads from. */
type Origins = () => readonly string[];

function noRelationship(
  origin: Origin,
  { relation, hint }: Embed,
  near: readonly Relationship[],
  all: Origins,
): MagError {
  const using = hint === undefined ? '' : ` using the hint '${hint}'`;
  const between = `'${origin.name}' and '${relation}'`;
  return new MagError(
    'PGRST200',
    { origin: origin.name, target: relation },
    {
      details: `Searched for a foreign key relationship between ${between}${using} in the schema '${origin.schema}', but no matches were found.`,
      ...meant(origin, relation, near, all),
    },
  );
}

const CARDINALITIES: readonly Relationship['cardinality'][] = [
  ...(['one-to-many', 'many-to-one', 'one-to-one', 'many-to-many', 'computed'] as const),
];

/** As PostgREST lists them. */
const inOrder = (left: Relationship, right: Relationship): number =>
  compareText(left.join.table, right.join.table) ||
  CARDINALITIES.indexOf(left.cardinality) - CARDINALITIES.indexOf(right.cardinality) ||
  compareText(left.words, right.words);

const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

function ambiguous(origin: Origin, { relation }: Embed, unordered: readonly Relationship[]): MagError {
  const found = unordered.toSorted(inOrder);
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
      names: found.flatMap(({ schema, join: { table, via } }) => [
        `${schema}.${table}`,
        ...(via === undefined ? [] : [`${via.schema}.${via.table}`]),
      ]),
    },
  );
}

/**
 * How an embed hangs on the table around it. Throws PGRST200 where nothing leads there, PGRST201 where several do.
 * @param exposed schemas that a table in between may be of; absent: any.
 */
export function joinOf(
  embed: Embed,
  origin: Origin,
  snapshot: SchemaSnapshot,
  exposed?: readonly string[],
): Join {
  // As PostgREST: what is embedded is in the schema of what embeds it.
  const near = relationshipsOf(snapshot, origin).filter(
    ({ schema, join: { via } }) =>
      schema === origin.schema &&
      (via === undefined || exposed === undefined || exposed.includes(via.schema)),
  );
  const found = near.filter((relationship) => fits(relationship, embed));
  const [first] = found;
  if (first === undefined)
    throw noRelationship(origin, embed, near, () => originsIn(snapshot, origin.schema));
  if (found.length > 1) throw ambiguous(origin, embed, found);
  return first.join;
}

function resolveItems(
  items: readonly SelectItem[],
  origin: Origin,
  snapshot: SchemaSnapshot,
  exposed: readonly string[] | undefined,
): readonly SelectItem[] {
  return items.map((item) => {
    if (item.kind !== 'embed') return item;
    const join = item.embed.join ?? joinOf(item.embed, origin, snapshot, exposed);
    const inner = { schema: join.schema, name: join.table };
    const select = resolveItems(item.embed.select, inner, snapshot, exposed);
    return { kind: 'embed', embed: { ...item.embed, join, select } };
  });
}

/** The table whose rows a function gives, if it is one; what embeds hang on. Throws PGRST205. */
function originOf(query: Query | CallQuery, snapshot: SchemaSnapshot): Origin {
  if (query.kind !== 'call') return findTable(snapshot, query.schema, query.table);
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
 * Throws PGRST205 where the table is not there, PGRST200 where there is no relationship, PGRST201 where there are several
 * and no hint tells which.
 * @param exposed schemas whose tables may stand between two others; absent: any.
 */
export function resolveEmbeds<Of extends Query | CallQuery>(
  query: Of,
  snapshot: SchemaSnapshot,
  exposed?: readonly string[],
): Of {
  if (!hasEmbeds(query)) return query;
  const items = resolveItems(itemsOf(query), originOf(query, snapshot), snapshot, exposed);
  return query.kind === 'select' || query.kind === 'call'
    ? { ...query, select: items }
    : { ...query, returning: items };
}
