import type { ProjectHandle } from '../../protocol/project.ts';
import type { ColumnInfo, SchemaSnapshot, TableInfo } from '../storage/engine.ts';
import { ERROR_SCHEMA, IDEMPOTENCY_KEY } from './board-document.ts';

/** JSON types of an engine's type names, by their first letters; anything else may hold any JSON value. */
const TYPES: readonly (readonly [RegExp, object])[] = [
  [/^(small|big|tiny)?(int|serial)/i, { type: 'integer' }],
  [/^(real|double|float|num|dec)/i, { type: 'number' }],
  [/^bool/i, { type: 'boolean' }],
  [/^(timestamp|date|time)/i, { type: 'string', format: 'date-time' }],
  [/^uuid/i, { type: 'string', format: 'uuid' }],
  [/^(text|char|varchar|character|clob|name|citext|bytea|blob)/i, { type: 'string' }],
];

const schemaOf = (column: ColumnInfo): object => ({
  ...TYPES.find(([pattern]) => pattern.test(column.type))?.[1],
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

function pathOf(table: TableInfo): object {
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
  const get = { summary: `Read ${table.name}`, parameters: [...read, ...filters], responses: reply(200) };
  if (table.kind === 'view') return { get };
  const keyed = { parameters: [IDEMPOTENCY_KEY] };
  return {
    get,
    post: {
      summary: `Insert into ${table.name}`,
      ...keyed,
      requestBody: { content: one },
      responses: reply(201),
    },
    patch: {
      summary: `Update ${table.name}`,
      parameters: [...filters, IDEMPOTENCY_KEY],
      responses: reply(200),
    },
    delete: {
      summary: `Delete from ${table.name}`,
      parameters: [...filters, IDEMPOTENCY_KEY],
      responses: reply(200),
    },
  };
}

/** OpenAPI 3.1 of the tables and views of one schema of a project. */
export function projectDocument(
  project: ProjectHandle,
  { tables, version }: SchemaSnapshot,
  schema: string,
): object {
  const shown = [...tables.values()].filter((table) => table.schema === schema);
  return {
    openapi: '3.1.0',
    info: { title: project.name, version },
    servers: [{ url: `/p/${project.ref}/rest/v1` }],
    security: [{ projectKey: [] }],
    paths: Object.fromEntries(shown.map((table) => [`/${encodeURIComponent(table.name)}`, pathOf(table)])),
    components: {
      schemas: {
        Error: ERROR_SCHEMA,
        ...Object.fromEntries(shown.map((table) => [table.name, definition(table)])),
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
