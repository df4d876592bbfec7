import { MagError } from '../../../errors.ts';
import type { JsonPath, QuantifiedOperator } from '../../../protocol/query.ts';
import { parseType } from '../sql/casts.ts';
import type { Expressions, NamedValue, RowsParts, RowsStatement, RowsWrite, Value } from '../sql/dialect.ts';
import { type CastTarget, castText } from './casting.ts';
import { columnKind } from './column-kind.ts';
import { jsonValue, objectText, quoteIdentifier, quoteText } from './sqlite-text.ts';

/** Types that SQLite truly has, by the names that PostgreSQL's clients give them. */
const CASTS: ReadonlyMap<string, { readonly to: CastTarget; readonly type: string }> = new Map(
  Object.entries({
    ...{ text: { to: 'text', type: 'text' }, varchar: { to: 'text', type: 'text' } },
    ...{ int2: { to: 'int2', type: 'integer' }, int4: { to: 'int4', type: 'integer' } },
    ...{ int8: { to: 'int8', type: 'integer' } },
    ...{ float4: { to: 'float4', type: 'real' }, float8: { to: 'float8', type: 'real' } },
    ...{ numeric: { to: 'numeric', type: 'numeric' } },
  }),
);

const json = (sql: string): Value => ({ sql, type: 'json', json: true });

/** `$."a"[0][#-1]`; null where a key cannot be written in it. */
function pathText({ steps }: JsonPath): string | null {
  let text = '$';
  for (const step of steps) {
    if (typeof step === 'number') text += step < 0 ? `[#${step}]` : `[${step}]`;
    else if (['"', '\\', '\0'].some((each) => step.includes(each))) return null;
    else text += `."${step}"`;
  }
  return text;
}

/**
 * `->` gives JSON, `->>` its text as PostgreSQL has it: of a string the string, of null nothing, else the JSON. What
 * is no JSON at all has no paths.
 */
function pathValue(column: string, path: JsonPath): Value | null {
  const text = pathText(path);
  if (text === null) return null;
  const at = quoteText(text);
  const guard = (value: string): string => `(CASE WHEN json_valid(${column}, 9) THEN ${value} END)`;
  if (!path.text) return json(guard(`${column} -> ${at}`));
  // What `->` gives is marked as JSON, also as a text; a concatenation is not.
  const sql = `CASE json_type(${column}, ${at}) WHEN 'text' THEN ${column} ->> ${at} WHEN 'null' THEN NULL ELSE '' || (${column} -> ${at}) END`;
  return { sql: guard(sql), type: 'text', json: false };
}

function castValue({ sql, type: from, json: isJson }: Value, text: string): Value | null {
  const type = parseType(text);
  const known =
    type === null || type.schema !== null || type.dimensions > 0 ? undefined : CASTS.get(type.name);
  if (known === undefined) return null;
  const kind = isJson ? 'json' : columnKind(from);
  const value = (as: string): Value => ({ sql: as, type: known.type, json: false });
  if (known.to === 'text') {
    if (kind === 'boolean')
      return value(`CAST(CASE ${sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE ${sql} END AS TEXT)`);
    if (kind === 'text') return value(`CAST(${sql} AS TEXT)`);
    // What `->` gives is marked as JSON, also through a cast; a concatenation is not.
    if (kind === 'json') return value(`('' || ${sql})`);
  }
  // As PostgreSQL, which knows a boolean as an integer of one size alone.
  else if (kind === 'blob' || (kind === 'boolean' && known.to !== 'int4')) return null;
  // SQLite takes any number in a type: what PostgreSQL has no scale for would only be zeros without end.
  const scale = Number(/,\s*(\d{1,2})\s*\)/.exec(from)?.[1] ?? 0);
  const plain = kind === 'numeric' ? scale : 'plain';
  return value(castText(known.to, sql, kind === 'json' ? 'json' : plain));
}

const COMPARED: Readonly<Partial<Record<QuantifiedOperator, string>>> = {
  ...{ eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' },
};

/** NULL is unknown to every item, and an empty list settles it by itself, as in PostgreSQL. */
function quantified(
  op: QuantifiedOperator,
  quantifier: 'any' | 'all',
  value: string,
  bound: string,
): string | null {
  const plain = COMPARED[op];
  let matches = plain === undefined ? null : `${value} ${plain} value`;
  if (op === 'like') matches = `${value} GLOB value`;
  else if (op === 'ilike') matches = `${value} LIKE value ESCAPE '\\'`;
  if (matches === null) return null;
  const [empty, holds] =
    quantifier === 'any'
      ? ['0', `EXISTS (SELECT 1 FROM json_each(${bound}) WHERE ${matches})`]
      : ['1', `NOT EXISTS (SELECT 1 FROM json_each(${bound}) WHERE NOT (${matches}))`];
  return `(CASE WHEN json_array_length(${bound}) = 0 THEN ${empty} WHEN ${value} IS NULL THEN NULL ELSE ${holds} END)`;
}

/** SQLite knows no OFFSET without LIMIT; the planner would compile a bare parameter there anew for each value. */
function windowText({ limit, offset }: Pick<RowsParts, 'limit' | 'offset'>): string {
  if (limit === null && offset === null) return '';
  const text = ` LIMIT ${limit === null ? '-1' : `${limit} + 0`}`;
  return offset === null ? text : `${text} OFFSET ${offset} + 0`;
}

function sourceText({
  from,
  where,
  group,
  order,
}: Pick<RowsParts, 'from' | 'where' | 'group' | 'order'>): string {
  let text = ` FROM ${from}`;
  if (where !== null) text += ` WHERE ${where}`;
  if (group !== null) text += ` GROUP BY ${group}`;
  return order === null ? text : `${text} ORDER BY ${order}`;
}

export const rowsText = (rows: RowsParts, output: string): string =>
  `SELECT ${output}${sourceText(rows)}${windowText(rows)}`;

const ANY_ORDER = { order: null, limit: null, offset: null };

function derivedText(rows: RowsParts): string {
  const values = rows.output.map(({ name, value }) => `${value.sql} AS ${quoteIdentifier(name)}`);
  return `(${rowsText({ ...rows, ...ANY_ORDER }, values.join(', '))})`;
}

const aggregateValue: Expressions['aggregate'] = (function_, value) => {
  const sql = `${function_}(${value === null ? '*' : value.sql})`;
  if (function_ === 'count') return { sql, type: 'integer', json: false };
  const isFloat = function_ === 'sum' && columnKind(value?.type ?? '') === 'real';
  const keeps = function_ === 'min' || function_ === 'max' || isFloat;
  return { sql, type: keeps ? (value?.type ?? 'numeric') : 'numeric', json: false };
};

/** The rows as an array. @param row the object of one of them. */
function arrayValue(rows: RowsParts, row: string): Value {
  if (rows.limit === null && rows.offset === null && !rows.grouped) {
    // Read as JSON already where it is one object: to read it again takes as long as to make it.
    const made = row.startsWith('json_object(') ? row : `json(${row})`;
    const ordered = rows.order === null ? made : `${made} ORDER BY ${rows.order}`;
    return json(`(${rowsText({ ...rows, order: null }, `json_group_array(${ordered})`)})`);
  }
  // SQLite drops the order of a subquery without a limit.
  const limited = rows.limit === null && rows.offset === null ? ' LIMIT -1' : '';
  return json(`(SELECT json_group_array(json(j)) FROM (${rowsText(rows, `${row} AS j`)}${limited}))`);
}

/** SQLite's text of what is more than columns. */
export function sqliteExpressions(anyBlob: boolean): Expressions {
  const member = ({ sql, type, json: isJson }: Value): string =>
    isJson ? `json(${sql})` : jsonValue(sql, type, anyBlob);
  const object = (output: readonly NamedValue[]): string =>
    objectText(output.map(({ name, value }) => ({ name, member: member(value) })));
  const only = ({ output }: RowsParts): Value => output[0]?.value ?? json('NULL');

  function selectRows(statement: RowsStatement): string {
    const { counted } = statement;
    const rows = rowsText(
      statement,
      `${object(statement.output)} AS json${counted === null ? '' : ', NULL AS total'}`,
    );
    if (counted === null) return rows;
    const total = `SELECT NULL AS json, count(*) AS total${sourceText({ ...counted, group: null, order: null })}`;
    // SQLite drops the order of a subquery without a limit.
    const limited = statement.limit === null && statement.offset === null ? `${rows} LIMIT -1` : rows;
    return `${total} UNION ALL SELECT * FROM (${limited})`;
  }

  /** A row that an inner embed leaves out is written all the same, and not shown. */
  function writeRows({ write, rows, check, sortedBy }: RowsWrite): string {
    if (rows.grouped) {
      const what = 'aggregate what a write gives back';
      throw new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'sqlite', what });
    }
    const shown = object(rows.output);
    const row = rows.where === null ? shown : `CASE WHEN ${rows.where} THEN ${shown} END`;
    const keys = sortedBy.map(({ sql }) => `, ${sql}`).join('');
    const held = check === null ? '' : `, (${check})`;
    return `${write} RETURNING ${row}${held === '' && keys !== '' ? ', NULL' : held}${keys}`;
  }

  return {
    // The alias of a written table is not seen in RETURNING.
    writtenAs: (table) => quoteIdentifier(table.name),
    comparesJson: false,
    limitsAffected: false,
    rereadsWritten: false,
    ordersWritten: 'afterwards',
    path: (column, _info, path) => pathValue(column, path),
    cast: castValue,
    aggregate: aggregateValue,
    groupable: (value) => value,
    compare: (op, value, bound) => (op === 'isdistinct' ? `${value} IS DISTINCT FROM ${bound}` : null),
    quantified,
    contain: () => null,
    textSearch: () => null,
    object: (rows) => json(`(${rowsText(rows, object(rows.output))})`),
    array: (rows) => arrayValue(rows, object(rows.output)),
    one: (rows) => ({ ...only(rows), sql: `(${rowsText({ ...rows, order: null }, only(rows).sql)})` }),
    list(rows) {
      const limited = rows.limit === null && rows.offset === null ? ' LIMIT -1' : '';
      const values = `${rowsText(rows, `${only(rows).sql} AS v`)}${limited}`;
      return json(`(SELECT json_group_array(${member({ ...only(rows), sql: 'v' })}) FROM (${values}))`);
    },
    derived: derivedText,
    selectRows,
    writeRows,
  };
}
