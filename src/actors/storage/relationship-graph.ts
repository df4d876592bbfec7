import { SCHEMA_LIMITS } from '../../limits-schema.ts';
import type { Join } from '../../protocol/query.ts';
import type { ForeignKey, FunctionInfo, SchemaSnapshot, TableInfo, ViewSource } from './engine.ts';

/** One way from a table to another one, as foreign keys and functions make it. */
export interface Relationship {
  /** `computed`: a function of the row gives the others. */
  readonly cardinality: 'many-to-one' | 'one-to-one' | 'one-to-many' | 'many-to-many' | 'computed';
  /** Whether both ends are one table. */
  readonly self: boolean;
  /** Of the foreign key, of the table in between, or of the function. */
  readonly name: string;
  /** How PostgREST words it in the details of PGRST201. */
  readonly words: string;
  /** The schema that it is looked for in. */
  readonly schema: string;
  /** Whether it leads to a view, which is not named by a foreign key below it. */
  readonly toView: boolean;
  readonly join: Join;
}

/** A table or view in a relationship, by the columns that take part. */
interface End {
  readonly table: TableInfo;
  readonly columns: readonly string[];
}

/** From what holds a foreign key to what it refers to; of views, what the tables below them have. */
interface Link {
  readonly key: string;
  readonly isUnique: boolean;
  readonly child: End;
  readonly parent: End;
}

const sameTable = (left: TableInfo, right: TableInfo): boolean =>
  left.schema === right.schema && left.name === right.name;

const isSubset = (some: readonly string[], of: readonly string[]): boolean =>
  some.every((each) => of.includes(each));

const isUnique = (table: TableInfo, columns: readonly string[]): boolean =>
  table.unique.some((key) => key.length > 0 && isSubset(key, columns));

const side = ({ table, columns }: End): string => `${table.name}(${columns.join(', ')})`;

const viewOf = ({ table }: End): boolean => table.kind === 'view';

function ofLink({
  key,
  isUnique: one,
  child,
  parent,
}: Link): readonly [to: Relationship, from: Relationship] {
  // As PostgREST: a view of a table is another one than the table, and only a view is its own.
  const self = sameTable(child.table, parent.table);
  const to = { schema: parent.table.schema, table: parent.table.name };
  const from = { schema: child.table.schema, table: child.table.name };
  return [
    {
      ...{ self, name: key, cardinality: one ? 'one-to-one' : 'many-to-one' },
      words: `${key} using ${side(child)} and ${side(parent)}`,
      ...{ schema: to.schema, toView: viewOf(parent) },
      join: { ...to, toOne: true, from: child.columns, to: parent.columns },
    },
    {
      ...{ self, name: key, cardinality: one ? 'one-to-one' : 'one-to-many' },
      words: `${key} using ${side(parent)} and ${side(child)}`,
      ...{ schema: from.schema, toView: viewOf(child) },
      join: { ...from, toOne: one, from: parent.columns, to: child.columns },
    },
  ];
}

/** As PostgREST: a table is one in between where the columns of both keys are part of its primary key. */
function through(from: Link, to: Link): Relationship {
  const { table } = from.child;
  const other = to.parent.table;
  return {
    ...{ self: sameTable(from.parent.table, other), name: table.name, cardinality: 'many-to-many' },
    words: `${table.name} using ${from.key}(${from.child.columns.join(', ')}) and ${to.key}(${to.child.columns.join(', ')})`,
    ...{ schema: other.schema, toView: viewOf(to.parent) },
    join: {
      ...{ schema: other.schema, table: other.name, toOne: false },
      ...{ from: from.parent.columns, to: to.parent.columns },
      via: { schema: table.schema, table: table.name, from: from.child.columns, to: to.child.columns },
    },
  };
}

const tableKey = ({ schema, name }: Pick<TableInfo, 'schema' | 'name'>): string =>
  JSON.stringify([schema, name]);

/** Every choice of one column for each; a view may show one column several times. */
function choices(columns: readonly (readonly string[])[]): readonly (readonly string[])[] {
  let all: readonly (readonly string[])[] = [[]];
  for (const some of columns) {
    all = all.flatMap((chosen) => some.map((column) => [...chosen, column]));
    if (all.length > SCHEMA_LIMITS.viewKeyChoices) all = all.slice(0, SCHEMA_LIMITS.viewKeyChoices);
  }
  return all;
}

type ViewsByTable = ReadonlyMap<string, readonly { readonly view: TableInfo; readonly source: ViewSource }[]>;

function viewsByTable(snapshot: SchemaSnapshot): ViewsByTable {
  const all = new Map<string, { view: TableInfo; source: ViewSource }[]>();
  for (const view of snapshot.tables.values()) {
    for (const source of view.sources ?? []) {
      const key = tableKey({ schema: source.schema, name: source.table });
      const views = all.get(key);
      if (views === undefined) all.set(key, [{ view, source }]);
      else views.push({ view, source });
    }
  }
  return all;
}

/** The views that show all of these columns of the table. */
function shownEnds(end: End, views: ViewsByTable): readonly End[] {
  return (views.get(tableKey(end.table)) ?? []).flatMap(({ view, source }) => {
    const shown = new Map(source.columns.map((each) => [each.column, each.shown]));
    return choices(end.columns.map((column) => shown.get(column) ?? [])).map((columns) => ({
      ...{ table: view, columns },
    }));
  });
}

const endOf = (table: TableInfo, columns: readonly string[]): End => ({ table, columns });

/** The key between the tables, and between each view of the one and of the other. */
function linksOf(
  table: TableInfo,
  key: ForeignKey,
  tables: ReadonlyMap<string, TableInfo>,
  views: ViewsByTable,
): readonly Link[] {
  const { references } = key;
  const other = tables.get(tableKey({ schema: references.schema, name: references.table }));
  // What is not among the tables that are read is only named.
  const parent: TableInfo = other ?? {
    ...{ schema: references.schema, name: references.table, kind: 'table', columns: [], unique: [] },
  };
  const child = endOf(table, key.columns);
  const above = endOf(parent, references.columns);
  const known = { key: key.name, isUnique: isUnique(table, key.columns) };
  const children = [child, ...shownEnds(child, views)];
  const parents = [above, ...shownEnds(above, views)];
  return children.flatMap((from) => parents.map((to): Link => ({ ...known, child: from, parent: to })));
}

/** A function of a row that gives rows of a table; null where it is anything else. */
function ofFunction({ schema, name, parameters, returns }: FunctionInfo): [TableRef, Relationship] | null {
  const [row, ...others] = parameters;
  const { table } = returns;
  // As PostgREST, which shows what is in the schemas that a request may ask for: here the one it is in.
  if (row?.table === undefined || others.length > 0 || table?.schema !== schema) return null;
  const join: Join = {
    ...{ schema: table.schema, table: table.name, from: [], to: [] },
    ...{ toOne: !returns.set || returns.atMostOne === true, call: { schema, name } },
  };
  const self = row.table.schema === table.schema && row.table.name === table.name;
  const words = `${name}(${row.table.name})`;
  return [row.table, { ...{ cardinality: 'computed', self, name, words, schema, toView: false }, join }];
}

type TableRef = Pick<TableInfo, 'schema' | 'name'>;
type Graph = ReadonlyMap<string, readonly Relationship[]>;

const graphs = new WeakMap<SchemaSnapshot, Graph>();

class GraphBuilder {
  readonly graph = new Map<string, Relationship[]>();
  #size = 0;

  /** Views multiply them; what is beyond the bound is not found. */
  get isFull(): boolean {
    return this.#size >= SCHEMA_LIMITS.relationships;
  }

  add(table: TableRef, relationship: Relationship): void {
    if (this.isFull) return;
    this.#size += 1;
    const key = tableKey(table);
    const list = this.graph.get(key);
    if (list === undefined) this.graph.set(key, [relationship]);
    else list.push(relationship);
  }

  /** Both ways of each link, and those through each table in between. */
  links(links: readonly Link[]): void {
    for (const link of links) {
      const [toParent, toChild] = ofLink(link);
      this.add(link.child.table, toParent);
      this.add(link.parent.table, toChild);
    }
    const several = links.filter((link) => !link.isUnique);
    for (const [table, own] of Map.groupBy(several, ({ child }) => child.table)) this.#between(table, own);
  }

  #between(table: TableInfo, links: readonly Link[]): void {
    const primary = table.columns.filter((column) => column.primaryKey > 0).map((column) => column.name);
    const inKey = links.filter(({ child }) => isSubset(child.columns, primary));
    for (const from of inKey) {
      if (this.isFull) return;
      for (const to of inKey) if (to.key !== from.key) this.add(from.parent.table, through(from, to));
    }
  }

  /** As PostgREST: a function takes the place of the keys that lead to a table of its name. */
  override(table: TableRef, relationship: Relationship): void {
    const key = tableKey(table);
    const { schema, name } = relationship;
    const others = (this.graph.get(key) ?? []).filter(
      ({ cardinality, join }) => cardinality === 'computed' || join.schema !== schema || join.table !== name,
    );
    this.graph.set(key, [...others, relationship]);
  }
}

function build(snapshot: SchemaSnapshot): Graph {
  const builder = new GraphBuilder();
  const tables = new Map([...snapshot.tables.values()].map((table) => [tableKey(table), table]));
  const views = viewsByTable(snapshot);
  const links: Link[] = [];
  for (const table of tables.values()) {
    for (const key of table.foreignKeys ?? []) {
      if (links.length < SCHEMA_LIMITS.relationships) links.push(...linksOf(table, key, tables, views));
    }
  }
  builder.links(links);
  for (const each of snapshot.functions ?? []) {
    const found = ofFunction(each);
    if (found !== null) builder.override(...found);
  }
  return builder.graph;
}

/** Worked out once per snapshot. */
function graphOf(snapshot: SchemaSnapshot): Graph {
  let graph = graphs.get(snapshot);
  if (graph === undefined) {
    graph = build(snapshot);
    graphs.set(snapshot, graph);
  }
  return graph;
}

/** Every relationship that starts from the table. */
export const relationshipsOf = (snapshot: SchemaSnapshot, origin: TableRef): readonly Relationship[] =>
  graphOf(snapshot).get(tableKey(origin)) ?? [];

/** Names of the schema's tables that a relationship starts from. */
export function originsIn(snapshot: SchemaSnapshot, schema: string): readonly string[] {
  const graph = graphOf(snapshot);
  const tables = [...snapshot.tables.values()].filter((table) => table.schema === schema);
  return tables.filter((table) => graph.has(tableKey(table))).map(({ name }) => name);
}
