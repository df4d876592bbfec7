import { SCHEMA_LIMITS } from '../../../limits-schema.ts';
import type { TableInfo, ViewSource } from '../engine.ts';
import type { PgConnection } from './connection.ts';

/** A table or view with its columns by their numbers, as the catalogue refers to them. */
export interface Numbered {
  readonly schema: string;
  readonly name: string;
  readonly columns: ReadonlyMap<number, string>;
}

/** A column of a view that shows one of another table or view as it is; both by their numbers. */
interface Shown {
  readonly column: number;
  readonly ofTable: string;
  readonly ofColumn: number;
}

/** The rules that make the views what they are, as PostgreSQL's node trees; oldest first, up to a bound on their text. */
const TREES = `
SELECT oid::text, tree FROM (
  SELECT c.oid, r.ev_action::text AS tree, sum(length(r.ev_action::text)) OVER (ORDER BY c.oid) AS read
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('v', 'm') AND r.ev_type = '1' AND n.nspname <> 'information_schema' AND n.nspname !~ '^(pg_|_mag)'
) AS views WHERE read <= ${SCHEMA_LIMITS.viewTreeChars} ORDER BY oid`;

/** A name's own spaces, braces and parentheses have a backslash before them. */
const TOKENS = /\\.|[{}()]|:targetList(?= \()|:(resno|resorigtbl|resorigcol) (\d+)/gs;

/** Where the entries of the outermost target list are: `({QUERY … :targetList ({TARGETENTRY …} …) …})`. */
const QUERY_DEPTH = 2;
const ENTRY_DEPTH = 4;

/** Columns of a view that show a column of another relation, read off its node tree. */
export function shownColumns(tree: string): readonly Shown[] {
  const shown: Shown[] = [];
  let depth = 0;
  let isTargets = false;
  let entry: Partial<Record<string, string>> = {};
  for (const [token, key, digits] of tree.matchAll(TOKENS)) {
    if (token === '{' || token === '(') depth += 1;
    else if (token === '}' || token === ')') {
      depth -= 1;
      if (isTargets && depth === QUERY_DEPTH) return shown;
      if (!isTargets || token === ')' || depth !== ENTRY_DEPTH - 1) continue;
      const { resno, resorigtbl, resorigcol } = entry;
      if (resorigtbl !== undefined && resorigtbl !== '0' && Number(resorigcol) > 0)
        shown.push({ column: Number(resno), ofTable: resorigtbl, ofColumn: Number(resorigcol) });
      entry = {};
    } else if (key === undefined) isTargets ||= token === ':targetList' && depth === QUERY_DEPTH;
    else if (isTargets && depth === ENTRY_DEPTH) entry[key] = digits ?? '';
  }
  return shown;
}

type Views = ReadonlyMap<string, readonly Shown[]>;

/** Follows a column down to the table that has it; null where a view between makes something else of it. */
function originOf(shown: Shown, views: Views): Shown | null {
  let at = shown;
  // A view cannot be made of itself; a rule by hand could still tie a knot.
  for (let level = 0; level < SCHEMA_LIMITS.viewLevels; level += 1) {
    const below = views.get(at.ofTable);
    if (below === undefined) return at;
    const next = below.find(({ column }) => column === at.ofColumn);
    if (next === undefined) return null;
    at = { ...next, column: shown.column };
  }
  return null;
}

function sourcesOf(
  view: Numbered,
  columns: readonly Shown[],
  views: Views,
  tables: ReadonlyMap<string, Numbered>,
): readonly ViewSource[] {
  const sources = new Map<string, { table: Numbered; columns: Map<string, string[]> }>();
  for (const shown of columns) {
    const origin = originOf(shown, views);
    const table = tables.get(origin?.ofTable ?? '');
    const column = table?.columns.get(origin?.ofColumn ?? 0);
    const name = view.columns.get(shown.column);
    if (origin === null || table === undefined || column === undefined || name === undefined) continue;
    const known = sources.get(origin.ofTable);
    const source = known ?? { table, columns: new Map<string, string[]>() };
    if (known === undefined) sources.set(origin.ofTable, source);
    const names = source.columns.get(column);
    if (names === undefined) source.columns.set(column, [name]);
    else names.push(name);
  }
  return [...sources.values()].map(({ table, columns: of }) => ({
    ...{ schema: table.schema, table: table.name },
    columns: [...of].map(([column, shown]) => ({ column, shown })),
  }));
}

/**
 * What the views show of tables, by the oid of the view.
 * @param tables every table and view by its oid.
 */
export async function readViewSources(
  connection: PgConnection,
  tables: ReadonlyMap<string, Numbered>,
): Promise<ReadonlyMap<string, readonly ViewSource[]>> {
  const views = new Map<string, readonly Shown[]>();
  for (const [oid, tree] of await connection.rows(TREES)) {
    if (typeof oid === 'string' && typeof tree === 'string') views.set(oid, shownColumns(tree));
  }
  const all = new Map<string, readonly ViewSource[]>();
  for (const [oid, columns] of views) {
    const view = tables.get(oid);
    if (view !== undefined) all.set(oid, sourcesOf(view, columns, views, tables));
  }
  return all;
}

/** A view with what it shows. As PostgREST: where that is all of a table's primary key, it is the view's, too. */
export function withSources(
  view: TableInfo,
  sources: readonly ViewSource[],
  keyOf: (source: ViewSource) => readonly string[],
): TableInfo {
  const key = sources.flatMap((source) => {
    const shown = new Map(source.columns.map((each) => [each.column, each.shown[0] ?? '']));
    const names = keyOf(source).map((column) => shown.get(column));
    return names.every((name) => name !== undefined) ? names : [];
  });
  const columns = view.columns.map((column) => ({ ...column, primaryKey: key.indexOf(column.name) + 1 }));
  return { ...view, columns, sources };
}
