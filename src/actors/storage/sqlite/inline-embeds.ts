import type { Embed, Join, SelectItem, SelectQuery } from '../../../protocol/query.ts';
import type { Dialect } from '../sql/dialect.ts';
import { isPlain, RowsCompiler } from '../sql/rows.ts';
import { Bindings, Scope } from '../sql/scope.ts';
import { hasPattern, isColumn } from './inline-terms.ts';
import { rowsText } from './sqlite-expressions.ts';
import type { SqliteSchema, SqliteTable } from './sqlite-schema.ts';
import { quoteIdentifier } from './sqlite-text.ts';

/** Related rows that an edge thread may read: those of one table, found by an index, and nothing is worked out of them. */
export interface PlainEmbed {
  readonly embed: Embed;
  readonly join: Join;
  readonly table: SqliteTable;
}

/** A select's own columns and its embeds, or null where one of these is no plain one. */
export function plainEmbeds(
  items: readonly SelectItem[],
  schema: SqliteSchema,
): { readonly own: readonly SelectItem[]; readonly embeds: readonly PlainEmbed[] } | null {
  const own: SelectItem[] = [];
  const embeds: PlainEmbed[] = [];
  for (const item of items) {
    if (item.kind !== 'embed') {
      own.push(item);
      continue;
    }
    const plain = plainEmbed(item.embed, schema);
    if (plain === null) return null;
    embeds.push(plain);
  }
  return { own, embeds };
}

function plainEmbed(embed: Embed, schema: SqliteSchema): PlainEmbed | null {
  const { join, inner, spread, select, where, order } = embed;
  // An inner one decides how many rows around it are looked at.
  if (join === undefined || join.via !== undefined || join.call !== undefined || inner || spread) return null;
  const table = schema.tables.get(join.table);
  if (table === undefined || !table.simpleReads || select.length === 0) return null;
  const isBounded = isPlain(select, table) && !hasPattern(where) && !hasList(where) && order.every(isColumn);
  return isBounded && table.columns.every(({ name }) => !isMisread(name)) ? { embed, join, table } : null;
}

/** Whether each row around has one at most. A foreign key may name columns that no key of the table makes unique. */
export const isOne = ({ join, table }: PlainEmbed): boolean =>
  table.unique.some((key) => key.length > 0 && key.every((name) => join.to.includes(name)));

/** A list is looked through for each row. */
const hasList = (where: Embed['where']): boolean =>
  where !== undefined && (where.kind === 'in' || ('terms' in where && where.terms.some(hasList)));

/** In SQLite's words about its plan a column of such a name would look like two constraints. */
const isMisread = (name: string): boolean => /[\s()=]/.test(name);

/** A line of EXPLAIN QUERY PLAN. */
export interface PlanLine {
  readonly id: number;
  readonly parent: number;
  readonly detail: string;
}

const SUBQUERY = 'CORRELATED SCALAR SUBQUERY';
/** What costs no more than the rows that it is made of. */
const FREE = /^(?:CO-ROUTINE |USE TEMP B-TREE FOR |SCAN \(subquery-\d+\)$)/;
/** What only hands the query's own rows on. */
const HANDS_ON = /^(?:(?:CO-ROUTINE|MATERIALIZE) |SCAN \(subquery-\d+\)$|SCAN _o$)/;
const INDEXED =
  /^SEARCH (_\w+) USING (?:INTEGER PRIMARY KEY|PRIMARY KEY|(?:COVERING )?INDEX .+) \(([^()]+)\)$/;

/** The alias of a table that is searched by all of these columns, or null. */
function searched(detail: string, columns: readonly string[]): string | null {
  const [, alias, constraints] = INDEXED.exec(detail) ?? [];
  if (alias === undefined || constraints === undefined) return null;
  if (constraints === 'rowid=?') return alias;
  const equal = new Set(constraints.split(' AND '));
  return columns.every((name) => equal.has(`${name}=?`)) ? alias : null;
}

/**
 * The lines about the query's own rows, where SQLite looks each embed's up by the columns that it is joined by; else null.
 */
export function outerLines(
  lines: readonly PlanLine[],
  embeds: readonly PlainEmbed[],
): readonly string[] | null {
  const inside = new Set(lines.filter(({ detail }) => detail.startsWith(SUBQUERY)).map(({ id }) => id));
  if (inside.size !== embeds.length) return null;
  const searches: string[] = [];
  const outer: string[] = [];
  for (const { id, parent, detail } of lines) {
    if (inside.has(parent)) {
      inside.add(id);
      if (!FREE.test(detail)) searches.push(detail);
    } else if (!inside.has(id)) outer.push(detail);
  }
  // Aliases are given in the order of the select, and SQLite tells of the subqueries in any.
  const order = (detail: string): number => Number(/^\w+ _e(\d+)/.exec(detail)?.[1] ?? 0);
  searches.sort((one, other) => order(one) - order(other));
  const isBounded =
    searches.length === embeds.length &&
    embeds.every(({ join }, at) => searched(searches[at] ?? '', join.to) !== null);
  return isBounded ? outer : null;
}

/**
 * How many rows an embed reads at most, and their bytes: the statement counts the rows that hang on the query's, whatever
 * the embed leaves out of them, up to one more than its last parameter.
 */
export function probeText(
  query: SelectQuery,
  table: SqliteTable,
  { embed, join, table: related }: PlainEmbed,
  dialect: Dialect,
  schema: SqliteSchema,
): string {
  const bindings = new Bindings(dialect, table);
  const scope = new Scope(table, bindings.alias(), bindings);
  const from = `${dialect.qualifiedTable(table)} AS ${scope.alias}`;
  // The whole query again, for the numbers of its parameters.
  const { rows } = new RowsCompiler(bindings, schema, null).level(scope, from, [], query);
  const keys = join.from.map((name, at) => `${scope.text(name)} AS c${at}`);
  const pairs = join.to.map((name, at) => `_p.${quoteIdentifier(name)} = _o.c${at}`);
  const bytes = columnsRead(embed, related).map(
    (name) => `ifnull(octet_length(_p.${quoteIdentifier(name)}), 0)`,
  );
  const most = dialect.placeholder(bindings.params.length + 1, {
    kind: 'value',
    form: 'count',
    index: 0,
    column: null,
  });
  return (
    `SELECT count(*), sum(b) FROM (SELECT ${bytes.join(' + ')} AS b FROM (${rowsText(rows, keys.join(', '))}) AS _o ` +
    `CROSS JOIN ${dialect.qualifiedTable(related)} AS _p ON ${pairs.join(' AND ')} LIMIT ${most} + 1)`
  );
}

/** Columns that are shown, looked at or sorted by; those of the key at least. */
function columnsRead({ select, where, order }: Embed, table: SqliteTable): readonly string[] {
  const names = new Set(order.map(({ column }) => column.name));
  for (const item of select) {
    if (item.kind === 'column') names.add(item.column.name);
    else for (const { name } of table.columns) names.add(name);
  }
  const look = (filter: Embed['where']): void => {
    if (filter === undefined) return;
    if ('column' in filter) names.add(filter.column.name);
    if ('terms' in filter) filter.terms.forEach(look);
  };
  look(where);
  return [...names];
}

/** The lines of the probe about the query's own rows, where SQLite finds the related ones as it does for the embed. */
export function outerLinesOfProbe(
  lines: readonly PlanLine[],
  { join }: PlainEmbed,
): readonly string[] | null {
  const rest = lines.map(({ detail }) => detail).filter((detail) => !HANDS_ON.test(detail));
  const related = rest.filter((detail) => searched(detail, join.to) === '_p');
  return related.length === 1 ? rest.filter((detail) => detail !== related[0]) : null;
}
