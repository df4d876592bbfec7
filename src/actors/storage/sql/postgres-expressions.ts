import type { ContainOperator, JsonPath, TextSearchOperator } from '../../../protocol/query.ts';
import { shown } from '../postgres/representations.ts';
import { parseType } from './casts.ts';
import type { Expressions, NamedValue, RowsParts, RowsStatement, RowsWrite, Value } from './dialect.ts';
import {
  enforce,
  enforceMost,
  enforceSingle,
  mergedColumn,
  quoteIdentifier,
  quoteText,
} from './postgres-text.ts';

const CONTAIN: Readonly<Record<ContainOperator, string>> = {
  ...{ cs: '@>', cd: '<@', ov: '&&', sl: '<<', sr: '>>' },
  ...{ nxr: '&<', nxl: '&>', adj: '-|-' },
};

const QUERIES: Readonly<Record<TextSearchOperator, string>> = {
  ...{ fts: 'to_tsquery', plfts: 'plainto_tsquery' },
  ...{ phfts: 'phraseto_tsquery', wfts: 'websearch_to_tsquery' },
};

const QUANTIFIED = {
  ...{ eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' },
  ...{ like: 'LIKE', ilike: 'ILIKE', match: '~', imatch: '~*' },
} as const;

const isJson = (type: string): boolean => type === 'json' || type === 'jsonb';

/** As PostgREST: what is no JSON is made some, so that arrays and composite types have paths, too. */
function pathValue(column: string, type: string, { steps, text }: JsonPath): Value {
  const last = steps.length - 1;
  const arrows = steps.map((step, at) => {
    const arrow = text && at === last ? '->>' : '->';
    return `${arrow}${typeof step === 'number' ? String(step) : quoteText(step)}`;
  });
  const sql = `(${isJson(type) ? column : `to_jsonb(${column})`}${arrows.join('')})`;
  return { sql, type: text ? 'text' : type === 'json' ? 'json' : 'jsonb', json: !text };
}

function castValue(value: Value, text: string): Value | null {
  const type = parseType(text);
  if (type === null) return null;
  const schema = type.schema === null ? '' : `${quoteIdentifier(type.schema)}.`;
  const name = `${schema}${quoteIdentifier(type.name)}${'[]'.repeat(type.dimensions)}`;
  return { sql: `(${value.sql})::${name}`, type: type.name, json: false };
}

const valueList = (output: readonly NamedValue[]): string =>
  output.map(({ name, value }) => `${value.sql} AS ${quoteIdentifier(name)}`).join(', ');

function rowsText({ output, from, where, group, order, limit, offset }: RowsParts): string {
  let text = `SELECT ${valueList(output)} FROM ${from}`;
  if (where !== null) text += ` WHERE ${where}`;
  if (group !== null) text += ` GROUP BY ${group}`;
  if (order !== null) text += ` ORDER BY ${order}`;
  if (limit !== null) text += ` LIMIT ${limit}`;
  if (offset !== null) text += ` OFFSET ${offset}`;
  return text;
}

const json = (sql: string): Value => ({ sql, type: 'json', json: true });

const aggregateType = (function_: string, value: Value | null): string => {
  if (function_ === 'count') return 'bigint';
  return function_ === 'min' || function_ === 'max' ? (value?.type ?? 'numeric') : 'numeric';
};

function selectRows(statement: RowsStatement): string {
  const inner = rowsText(statement);
  const { counted } = statement;
  if (counted === null) return `SELECT row_to_json(_.*)::text FROM (${inner}) _`;
  const where = counted.where === null ? '' : ` WHERE ${counted.where}`;
  return (
    `SELECT "page"."row", "all"."total" FROM (SELECT count(*) AS "total" FROM ${counted.from}${where}) AS "all" ` +
    `LEFT JOIN LATERAL (SELECT row_to_json(_.*)::text AS "row" FROM (${inner}) _) AS "page" ON true`
  );
}

const MADE = '_made';
const WRITTEN = '_written';

/**
 * What must hold of all rows is asked before the first one is given back: an inner embed may leave out the very row
 * that breaks it.
 */
function writeRows({ write, rows, used, check, single, most, merges, reply }: RowsWrite): string {
  // Beside the columns that are read, one more, whose name is none of theirs.
  let mark = 'ok';
  while (used.includes(mark)) mark += '_';
  const returned = used.length === 0 ? ['1'] : used.map(quoteIdentifier);
  const demands: string[] = [];
  if (check !== null) {
    returned.push(`(${check}) AS ${quoteIdentifier(mark)}`);
    demands.push(`(SELECT count(${enforce(quoteIdentifier(mark))}) FROM ${MADE}) >= 0`);
  }
  if (single) demands.push(`${enforceSingle(MADE)} = 1`);
  if (merges) demands.push(`(SELECT count(*) FROM ${MADE}) >= 0`);
  if (most !== null) demands.push(`${enforceMost(MADE, most)} = 1`);
  const where = demands.length === 0 ? '' : ` WHERE ${demands.join(' AND ')}`;
  const given = `(${rowsText(rows)})`;
  const written = `WITH ${MADE} AS (${write} RETURNING ${returned.join(', ')}), ${WRITTEN} AS (SELECT * FROM ${MADE}${where})`;
  const answer = reply?.(given) ?? `SELECT row_to_json(_.*)::text${mergedColumn(merges)} FROM ${given} _`;
  return `${written} ${answer}`;
}

/** PostgreSQL's text of what is more than columns. Values are untyped parameters, as everywhere. */
export const postgresExpressions: Expressions = {
  writtenAs: () => WRITTEN,
  comparesJson: true,
  limitsAffected: true,
  rereadsWritten: true,
  ordersWritten: 'itself',
  shown,
  path: (column, info, path) => pathValue(column, info.type, path),
  cast: castValue,
  aggregate: (function_, value) => ({
    sql: `${function_}(${value === null ? '*' : value.sql})`,
    type: aggregateType(function_, value),
    json: false,
  }),
  groupable: (value) =>
    value.type === 'json' ? { sql: `(${value.sql})::jsonb`, type: 'jsonb', json: true } : value,
  compare(op, value, bound) {
    if (op === 'isdistinct') return `${value} IS DISTINCT FROM ${bound}`;
    return `${value} ${op === 'match' ? '~' : '~*'} ${bound}`;
  },
  quantified: (op, quantifier, value, bound) =>
    `${value} ${QUANTIFIED[op]} ${quantifier === 'any' ? 'ANY' : 'ALL'} (${bound})`,
  contain: (op, value, bound) => `${value} ${CONTAIN[op]} ${bound}`,
  textSearch(op, value, bound, config) {
    const configured = config === undefined ? '' : `${quoteText(config)}::regconfig, `;
    const vector = value.type === 'tsvector' ? value.sql : `to_tsvector(${configured}${value.sql})`;
    return `${vector} @@ ${QUERIES[op]}(${configured}${bound})`;
  },
  object: (rows) => json(`(SELECT row_to_json(_.*) FROM (${rowsText(rows)}) _)`),
  array: (rows) => json(`COALESCE((SELECT json_agg(_.*) FROM (${rowsText(rows)}) _), '[]')`),
  one: (rows) => {
    const [only] = rows.output;
    return { sql: `(${rowsText(rows)})`, type: only?.value.type ?? 'text', json: only?.value.json ?? false };
  },
  list: (rows) => {
    const output = rows.output.map(({ value }) => ({ name: 'v', value }));
    return json(`COALESCE((SELECT json_agg(_."v") FROM (${rowsText({ ...rows, output })}) _), '[]')`);
  },
  derived: (rows) => `(${rowsText(rows)})`,
  selectRows,
  writeRows,
};
