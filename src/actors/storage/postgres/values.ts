import { stringifyExact } from '../../../protocol/exact-json.ts';
import type { CallQuery, JsonValue, Query } from '../../../protocol/query.ts';
import type { CompiledStatement, Param } from '../sql/dialect.ts';
import type { QueryValue } from '../sql/query-shape.ts';

/**
 * Values on their way to PostgreSQL: always text, or NULL. The server reads each under the type it inferred for the
 * parameter, which is the column's, so that `id=eq.1` means the same for every type.
 */
type Text = string | null;

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** PostgreSQL's array literal; nested arrays become further dimensions. */
export function arrayLiteral(items: readonly JsonValue[]): string {
  const parts = items.map((item) => {
    if (item === null) return 'NULL';
    if (Array.isArray(item)) return arrayLiteral(item);
    return quoted(typeof item === 'object' ? stringifyExact(item) : String(item));
  });
  return `{${parts.join(',')}}`;
}

/** A JSON value as the text of a column of this type. */
export function cellText(value: JsonValue, type: string): Text {
  if (value === null) return null;
  if (type === 'json' || type === 'jsonb') return stringifyExact(value);
  if (Array.isArray(value) && type.endsWith(']')) return arrayLiteral(value);
  return typeof value === 'object' ? stringifyExact(value) : String(value);
}

/** A parameter of native SQL: what a JSON body carried, by node-postgres' rules. */
export function parameterText(value: unknown): Text {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return arrayLiteral(value); // Out of a JSON body: its members are JSON values.
  return typeof value === 'object' ? stringifyExact(value) : String(value);
}

function valueText(param: Extract<Param, { kind: 'value' }>, value: QueryValue): Text {
  switch (param.form) {
    case 'json': {
      const fromJson = param.column?.representation?.fromJson;
      return cellText(value, fromJson === undefined ? (param.column?.type ?? '') : 'json');
    }
    case 'list':
    case 'patterns':
      return arrayLiteral(Array.isArray(value) ? value : []);
    default:
      return value === null ? null : String(value);
  }
}

/** The parameters of a compiled statement, filled from a query of its shape. */
export function bindValues(
  compiled: Pick<CompiledStatement, 'params'>,
  query: Query | CallQuery,
  values: readonly QueryValue[],
): readonly Text[] {
  return compiled.params.map((param) => {
    if (param.kind === 'value') return valueText(param, values[param.index] ?? null);
    const rows = query.kind === 'insert' ? query.rows : [];
    if (param.kind === 'rows') return stringifyExact(rows);
    return cellText(rows[0]?.[param.column.name] ?? null, param.column.type);
  });
}
