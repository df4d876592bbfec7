import type { ColumnInfo, ForeignKey, FunctionInfo, TableInfo } from '../../actors/storage/engine.ts';
import { MIGRATIONS_TABLE } from '../../protocol/migrations.ts';

/** What `GET /p/REF/schema/v1` gives. */
export interface ProjectSchema {
  readonly engine: string;
  readonly version: string;
  readonly tables: readonly TableInfo[];
  readonly functions: readonly FunctionInfo[];
}

/** TypeScript's types of an engine's type names, by their first letters; what is not here may be any JSON. */
const TYPES: readonly (readonly [RegExp, string])[] = [
  [/^(tinyint|bit)\(1\)/i, 'boolean'],
  [/^(tiny|small|medium|big)?(int|serial)/i, 'number'],
  [/^(real|double|float|num|dec|money|oid|year)/i, 'number'],
  [/^bool/i, 'boolean'],
  [/^json/i, 'Json'],
  [/^void$/i, 'undefined'],
  [
    /^(timestamp|date|time|interval|uuid|text|char|varchar|character|clob|name|citext|bytea|blob|binary|varbinary|bit|inet|cidr|macaddr|tsvector|tsquery|enum|xml|long|tinytext|mediumtext|set)/i,
    'string',
  ],
  [/range$/i, 'string'],
];

export function typeOf(engineType: string): string {
  const [, element] = /^(.*)\[\]$/.exec(engineType) ?? [];
  if (element !== undefined) return `${typeOf(element)}[]`;
  // A document's fields are of what was found in them.
  if (engineType === 'number' || engineType === 'string' || engineType === 'boolean') return engineType;
  return TYPES.find(([pattern]) => pattern.test(engineType))?.[1] ?? 'unknown';
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const key = (name: string): string => (IDENTIFIER.test(name) ? name : JSON.stringify(name));
const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

/** `name: {` … `}`; `{ [_ in never]: never }` where there is nothing, as supabase's own generator writes it. */
function block(name: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0
    ? [`${key(name)}: { [_ in never]: never }`]
    : [`${key(name)}: {`, ...indent(lines), '}'];
}

const orNull = (column: ColumnInfo): string => {
  const type = typeOf(column.type);
  return column.nullable && type !== 'unknown' ? `${type} | null` : type;
};

function field(column: ColumnInfo, optional: boolean): string {
  return `${key(column.name)}${optional ? '?' : ''}: ${orNull(column)}`;
}

function relationship(table: TableInfo, foreign: ForeignKey): readonly string[] {
  const isOneToOne = table.unique.some(
    (unique) =>
      unique.length === foreign.columns.length && unique.every((name) => foreign.columns.includes(name)),
  );
  return [
    '{',
    ...indent([
      `foreignKeyName: ${JSON.stringify(foreign.name)}`,
      `columns: ${JSON.stringify(foreign.columns)}`,
      `isOneToOne: ${isOneToOne}`,
      `referencedRelation: ${JSON.stringify(foreign.references.table)}`,
      `referencedColumns: ${JSON.stringify(foreign.references.columns)}`,
    ]),
    '},',
  ];
}

function relationships(table: TableInfo): readonly string[] {
  const all = (table.foreignKeys ?? []).flatMap((foreign) => relationship(table, foreign));
  return all.length === 0 ? ['Relationships: []'] : ['Relationships: [', ...indent(all), ']'];
}

function tableLines(table: TableInfo): readonly string[] {
  const columns = [...table.columns].sort((one, other) => (one.name < other.name ? -1 : 1));
  const row = columns.map((column) => field(column, false));
  if (table.kind === 'view') return block(table.name, [...block('Row', row), ...relationships(table)]);
  const insert = columns.map((column) => field(column, column.nullable || column.hasDefault));
  const update = columns.map((column) => field(column, true));
  return block(table.name, [
    ...block('Row', row),
    ...block('Insert', insert),
    ...block('Update', update),
    ...relationships(table),
  ]);
}

function argumentsOf({ parameters }: FunctionInfo): string {
  if (parameters.length === 0) return 'Record<PropertyKey, never>';
  const fields = parameters.map(
    ({ name, type, hasDefault }) => `${key(name)}${hasDefault ? '?' : ''}: ${typeOf(type)}`,
  );
  return `{ ${fields.join('; ')} }`;
}

function returnOf({ returns }: FunctionInfo): string {
  const { table, type, set } = returns;
  const one =
    table === null
      ? typeOf(type)
      : `Database[${JSON.stringify(table.schema)}]["Tables"][${JSON.stringify(table.name)}]["Row"]`;
  return set ? `${one}[]` : one;
}

const functionLines = (known: FunctionInfo): readonly string[] =>
  block(known.name, [`Args: ${argumentsOf(known)}`, `Returns: ${returnOf(known)}`]);

/** What `rpc` can call by argument names: of overloads the first. */
function callable(functions: readonly FunctionInfo[], schema: string): readonly FunctionInfo[] {
  const named = functions.filter(
    (known) => known.schema === schema && known.parameters.every(({ name }) => name !== ''),
  );
  return named.filter((known, index) => named.findIndex(({ name }) => name === known.name) === index);
}

function schemaLines({ tables, functions }: ProjectSchema, schema: string): readonly string[] {
  const own = tables
    .filter((table) => table.schema === schema && table.name !== MIGRATIONS_TABLE)
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const of = (kind: TableInfo['kind']): readonly string[] =>
    own.filter((table) => table.kind === kind).flatMap(tableLines);
  return block(schema, [
    ...block('Tables', of('table')),
    ...block('Views', of('view')),
    ...block('Functions', callable(functions, schema).flatMap(functionLines)),
    ...block('Enums', []),
    ...block('CompositeTypes', []),
  ]);
}

const JSON_TYPE =
  'export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]';

/** A TypeScript module that exports `Database`, in the shape that supabase-js's `createClient<Database>` takes. */
export function databaseTypes(schema: ProjectSchema): string {
  const names = new Set(['public', ...schema.tables.map((table) => table.schema)]);
  const body = [...names].flatMap((name) => schemaLines(schema, name));
  return `${[JSON_TYPE, '', 'export type Database = {', ...indent(body), '}'].join('\n')}\n`;
}
