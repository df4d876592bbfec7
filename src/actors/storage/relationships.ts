import { MagError } from '../../errors.ts';
import type { CallQuery, Embed, Join, Query, SelectItem } from '../../protocol/query.ts';
import type { ForeignKey, SchemaSnapshot, TableInfo } from './engine.ts';

/** One way from a table to another one, as foreign keys make it. */
interface Relationship {
  readonly cardinality: 'many-to-one' | 'one-to-one' | 'one-to-many' | 'many-to-many';
  /** Whether both ends are one table. */
  readonly self: boolean;
  /** Of the foreign key, or of the table in between. */
  readonly name: string;
  /** How PostgREST words it in the details of PGRST201. */
  readonly words: string;
  readonly join: Join;
}

/** Where what is embedded hangs; a call's result may be rows of no table. */
type Origin = Pick<TableInfo, 'schema' | 'name'>;

const keyOf = (schema: string, table: string): string => JSON.stringify([schema, table]);

const isSubset = (some: readonly string[], of: readonly string[]): boolean =>
  some.every((each) => of.includes(each));

const isUnique = (table: TableInfo, columns: readonly string[]): boolean =>
  table.unique.some((key) => key.length > 0 && isSubset(key, columns));

const side = (table: string, columns: readonly string[]): string => `${table}(${columns.join(', ')})`;

function ofForeignKey(
  table: TableInfo,
  key: ForeignKey,
): readonly [toParent: Relationship, toChild: Relationship] {
  const { references: parent, columns, name } = key;
  const self = parent.schema === table.schema && parent.table === table.name;
  const one = isUnique(table, columns);
  const child = side(table.name, columns);
  const other = side(parent.table, parent.columns);
  return [
    {
      ...{ self, name, cardinality: one ? 'one-to-one' : 'many-to-one' },
      words: `${name} using ${child} and ${other}`,
      join: { schema: parent.schema, table: parent.table, toOne: true, from: columns, to: parent.columns },
    },
    {
      ...{ self, name, cardinality: one ? 'one-to-one' : 'one-to-many' },
      words: `${name} using ${other} and ${child}`,
      join: { schema: table.schema, table: table.name, toOne: one, from: parent.columns, to: columns },
    },
  ];
}

/** As PostgREST: a table is one in between where the columns of both keys are part of its primary key. */
function through(table: TableInfo, from: ForeignKey, to: ForeignKey): Relationship {
  const { schema, name } = table;
  const self =
    from.references.schema === to.references.schema && from.references.table === to.references.table;
  return {
    ...{ self, name, cardinality: 'many-to-many' },
    words: `${name} using ${side(from.name, from.columns)} and ${side(to.name, to.columns)}`,
    join: {
      schema: to.references.schema,
      table: to.references.table,
      toOne: false,
      from: from.references.columns,
      to: to.references.columns,
      via: { schema, table: name, from: from.columns, to: to.columns },
    },
  };
}

type Graph = ReadonlyMap<string, readonly Relationship[]>;

const graphs = new WeakMap<SchemaSnapshot, Graph>();

/** Every relationship of the schema by the table it starts from; worked out once per snapshot. */
function graphOf(snapshot: SchemaSnapshot): Graph {
  const known = graphs.get(snapshot);
  if (known !== undefined) return known;
  const graph = new Map<string, Relationship[]>();
  const add = (schema: string, table: string, relationship: Relationship): void => {
    const key = keyOf(schema, table);
    const list = graph.get(key);
    if (list === undefined) graph.set(key, [relationship]);
    else list.push(relationship);
  };
  for (const table of snapshot.tables.values()) {
    const keys = table.foreignKeys ?? [];
    const primary = table.columns.filter((column) => column.primaryKey > 0).map((column) => column.name);
    for (const key of keys) {
      const [toParent, toChild] = ofForeignKey(table, key);
      add(table.schema, table.name, toParent);
      add(key.references.schema, key.references.table, toChild);
      for (const other of keys) {
        if (other === key || !isSubset([...key.columns, ...other.columns], primary)) continue;
        add(key.references.schema, key.references.table, through(table, key, other));
      }
    }
  }
  graphs.set(snapshot, graph);
  return graph;
}

const onlyColumn = (columns: readonly string[]): string | null =>
  columns.length === 1 ? (columns[0] ?? null) : null;

/** Whether a name means the relationship by its foreign key, or by that key's only column at its start. */
function namesKey({ cardinality, name, join }: Relationship, word: string): boolean {
  if (cardinality === 'many-to-many') return false;
  return name === word || (cardinality !== 'one-to-many' && join.toOne && onlyColumn(join.from) === word);
}

function fits(relationship: Relationship, { relation, hint }: Embed): boolean {
  const { self, cardinality, join } = relationship;
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
  return isTarget || namesKey(relationship, relation);
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
  const candidates = graphOf(snapshot).get(keyOf(origin.schema, origin.name)) ?? [];
  // As PostgREST: what is embedded is in the schema of what embeds it, wherever the table in between is.
  const near = candidates.filter(({ join }) => join.schema === origin.schema);
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
