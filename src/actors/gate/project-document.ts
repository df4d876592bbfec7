import type { TableAction } from '../../protocol/principal.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { ColumnInfo, Reachable, TableInfo } from '../storage/engine.ts';
import { ERROR_SCHEMA, IDEMPOTENCY_KEY } from './board-document.ts';
import { functionPaths } from './function-paths.ts';

/** JSON types of an engine's type names, by their first letters; anything else may hold any JSON value. */
const TYPES: readonly (readonly [RegExp, object])[] = [
  [/^(small|medium|big|tiny)?(int|integer|serial)\d*\b/i, { type: 'integer' }],
  [/^(real|double|float|num(?!.*range)|dec)/i, { type: 'number' }],
  [/^bool/i, { type: 'boolean' }],
  [/^(timestamp|date(?!.*range)|time)/i, { type: 'string', format: 'date-time' }],
  [/^uuid/i, { type: 'string', format: 'uuid' }],
  [/^(text|char|varchar|character|clob|name|citext|bytea|blob)/i, { type: 'string' }],
];

const typeOf = (type: string): object =>
  type.endsWith('[]')
    ? { type: 'array', items: typeOf(type.slice(0, -2)) }
    : (TYPES.find(([pattern]) => pattern.test(type))?.[1] ?? {});

const schemaOf = (column: ColumnInfo): object => ({
  ...typeOf(column.type),
  description: column.primaryKey > 0 ? `${column.type}, primary key` : column.type,
});

function definition(table: TableInfo): object {
  const required = table.columns.filter((column) => !column.nullable && !column.hasDefault);
  return {
    type: 'object',
    required: required.map((column) => column.name),
    properties: Object.fromEntries(table.columns.map((column) => [column.name, schemaOf(column)])),
  };
}

const query = (name: string, description: string): object => ({
  name,
  in: 'query',
  required: false,
  description,
  schema: { type: 'string' },
});

function pathOf(table: TableInfo, actions: readonly TableAction[]): object {
  const row = { $ref: `#/components/schemas/${encodeURIComponent(table.name)}` };
  const rows = { 'application/json': { schema: { type: 'array', items: row } } };
  const one = { 'application/json': { schema: { oneOf: [row, { type: 'array', items: row }] } } };
  const filters = table.columns.map((column) =>
    query(column.name, 'A filter: eq.1, gt.2, in.(1,2), is.null'),
  );
  const reply = (status: number): object => ({
    [status]: { description: 'Done', content: rows },
    default: { $ref: '#/components/responses/Error' },
  });
  const read = [
    query('select', 'Columns'),
    query('order', 'a.desc.nullslast,b'),
    query('limit', 'Most rows'),
    query('offset', 'Rows to pass over'),
  ];
  const keyed = { parameters: [IDEMPOTENCY_KEY] };
  const changed = { parameters: [...filters, IDEMPOTENCY_KEY], responses: reply(200) };
  const written = { requestBody: { content: one }, responses: reply(201) };
  const all = {
    get: { summary: `Read ${table.name}`, parameters: [...read, ...filters], responses: reply(200) },
    post: { summary: `Insert into ${table.name}`, ...keyed, ...written },
    patch: { summary: `Update ${table.name}`, ...changed },
    delete: { summary: `Delete from ${table.name}`, ...changed },
  };
  const may = (action: TableAction): boolean =>
    actions.includes(action) &&
    (action === 'select' || (table.writes?.includes(action) ?? table.kind === 'table'));
  return {
    ...(may('select') ? { get: all.get } : {}),
    ...(may('insert') ? { post: all.post } : {}),
    ...(may('update') ? { patch: all.patch } : {}),
    ...(may('delete') ? { delete: all.delete } : {}),
  };
}

/** OpenAPI 3.1 of what somebody may use of one schema of a project. */
export function projectDocument(
  project: ProjectHandle,
  { tables, functions, version }: Reachable,
  schema: string,
): object {
  const shown = tables.filter(({ table }) => table.schema === schema);
  const callable = functions.filter((each) => each.schema === schema);
  return {
    openapi: '3.1.0',
    info: { title: project.name, version },
    servers: [{ url: `/p/${project.ref}/rest/v1` }],
    security: [{ projectKey: [] }],
    paths: {
      ...Object.fromEntries(
        shown.map((each) => [`/${encodeURIComponent(each.table.name)}`, pathOf(each.table, each.actions)]),
      ),
      ...functionPaths(callable, typeOf),
    },
    components: {
      schemas: {
        Error: ERROR_SCHEMA,
        ...Object.fromEntries(shown.map(({ table }) => [table.name, definition(table)])),
      },
      responses: {
        Error: {
          description: 'An error with a stable code',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
      securitySchemes: { projectKey: { type: 'apiKey', in: 'header', name: 'apikey' } },
    },
  };
}
