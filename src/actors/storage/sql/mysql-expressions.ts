import { MagError } from '../../../errors.ts';
import type { JsonPath, QuantifiedOperator } from '../../../protocol/query.ts';
import { columnKind } from '../mysql/column-kind.ts';
import type { Expressions, NamedValue, RowsParts, RowsStatement, SqlColumn, Value } from './dialect.ts';
import { castValue } from './mysql-casts.ts';
import {
  jsonText,
  likeText,
  NO_LIMIT,
  PLACE_MARK,
  plainText,
  quoteIdentifier,
  quoteText,
  rowText,
} from './mysql-text.ts';

const json = (sql: string): Value => ({ sql, type: 'json', json: true });

const unsupported = (what: string): MagError =>
  new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'mysql', what });

const memberText = ({ sql, type, json: isJson }: Value): string =>
  isJson ? sql : jsonText(sql, type, false);

const objectText = (output: readonly NamedValue[]): string =>
  rowText(output.map(({ name, value }) => ({ name, text: memberText(value) })));

/**
 * `-> 0` of an object is nothing in PostgreSQL, but the object itself to JSON_EXTRACT: what is stepped into by a number
 * must be an array. Null where a key cannot be written in a path.
 */
function pathValue(column: string, info: SqlColumn, { steps, text }: JsonPath): Value | null {
  let path = '$';
  const arrays: string[] = [];
  const at = (): string => `JSON_EXTRACT(${column}, ${quoteText(path)})`;
  for (const step of steps) {
    if (typeof step === 'number') {
      arrays.push(`JSON_TYPE(${path === '$' ? column : at()}) = 'ARRAY'`);
      path += `[${step}]`;
    } else if (step.startsWith('-'))
      return null; // MariaDB reads the minus as a part of the path.
    else path += `.${JSON.stringify(step)}`;
  }
  const guards = columnKind(info.type) === 'json' ? arrays : [`JSON_VALID(${column})`, ...arrays];
  const guarded = (sql: string): string =>
    guards.length === 0 ? sql : `(CASE WHEN ${guards.join(' AND ')} THEN ${sql} END)`;
  if (!text) return json(guarded(at()));
  const kinds = `CASE JSON_TYPE(${at()}) WHEN 'NULL' THEN NULL WHEN 'STRING' THEN JSON_UNQUOTE(${at()}) ELSE ${at()} END`;
  return { sql: `(${guarded(`(${kinds})`)})`, type: 'longtext', json: false };
}

const COMPARED: Readonly<Partial<Record<QuantifiedOperator, string>>> = {
  ...{ eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' },
};

const regexText = (value: string, bound: string, ignoresCase: boolean): string =>
  `${plainText(value, false)} REGEXP ${ignoresCase ? `CONCAT('(?i)', ${bound})` : bound}`;

/**
 * A list's mark with how each item is compared, around which mysql/statement.ts puts AND or OR: `7 any 12:before after`,
 * the number being how long the text before the item is.
 */
function quantified(
  op: QuantifiedOperator,
  quantifier: 'any' | 'all',
  value: string,
  bound: string,
): string | null {
  const position = bound.replaceAll(PLACE_MARK, '');
  const plain = COMPARED[op];
  let text: string;
  if (plain !== undefined) text = `${value} ${plain} ${PLACE_MARK}`;
  else if (op === 'like' || op === 'ilike') text = likeText(value, PLACE_MARK, op === 'ilike');
  else text = regexText(value, PLACE_MARK, op === 'imatch');
  // A value that holds a placeholder itself cannot stand inside of a mark.
  if (value.includes(PLACE_MARK)) return null;
  const [before = '', after = ''] = text.split(PLACE_MARK);
  return `${PLACE_MARK}${position} ${quantifier} ${before.length}:${before}${after}${PLACE_MARK}`;
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

function windowText({ limit, offset }: Pick<RowsParts, 'limit' | 'offset'>): string {
  if (limit === null && offset === null) return '';
  return ` LIMIT ${limit ?? NO_LIMIT}${offset === null ? '' : ` OFFSET ${offset}`}`;
}

const rowsText = (rows: RowsParts, output: string): string =>
  `SELECT ${output}${sourceText(rows)}${windowText(rows)}`;

const only = ({ output }: RowsParts): Value => output[0]?.value ?? json('NULL');

/** Groups inside of a row would need a table worked out in FROM, which sees nothing of that row (there is no LATERAL). */
function refuseGroups(rows: RowsParts): void {
  if (rows.grouped) throw unsupported('group related rows; it can aggregate all of them');
}

/** GROUP_CONCAT sorts and limits by itself; the texts are joined, so an array has no form of its own. */
function arrayText(rows: RowsParts, member: string): Value {
  // Of all rows there is one aggregate.
  if (rows.grouped && rows.group === null && rows.limit === null && rows.offset === null)
    return json(`(SELECT CONCAT('[', ${member}, ']')${sourceText({ ...rows, order: null })})`);
  refuseGroups(rows);
  const order = rows.order === null ? '' : ` ORDER BY ${rows.order}`;
  const items = `GROUP_CONCAT(${member}${order} SEPARATOR ','${windowText(rows)})`;
  const source = sourceText({ ...rows, order: null });
  return json(`(SELECT IFNULL(CONCAT('[', ${items}, ']'), '[]')${source})`);
}

function selectRows(statement: RowsStatement): string {
  const { counted } = statement;
  const row = `${objectText(statement.output)}${counted === null ? '' : ', NULL'}`;
  if (counted === null) return rowsText(statement, row);
  const limited = statement.limit === null && statement.offset === null ? ` LIMIT ${NO_LIMIT}` : '';
  const total = `SELECT NULL, COUNT(*)${sourceText({ ...counted, group: null, order: null })}`;
  return `${total} UNION ALL (${rowsText(statement, row)}${limited})`;
}

const SUMS: Readonly<Partial<Record<ReturnType<typeof columnKind>, string>>> = { double: 'double' };

/** MySQL's text of what is more than columns. */
export const mysqlExpressions: Expressions = {
  // What a write returns beyond columns is read back by key: mysql/writes.ts.
  writtenAs: (table) => quoteIdentifier(table.name),
  comparesJson: false,
  groupsInPlace: true,
  limitsAffected: false,
  rereadsWritten: true,
  path: pathValue,
  cast: castValue,
  aggregate(function_, value) {
    if (value === null || function_ === 'count')
      return { sql: `COUNT(${value === null ? '*' : value.sql})`, type: 'bigint', json: false };
    const kind = columnKind(value.type);
    if (function_ === 'min' || function_ === 'max') return { ...value, sql: `${function_}(${value.sql})` };
    // The mean of integers would be cut after four digits.
    if (function_ === 'avg' && kind !== 'decimal')
      return { sql: `AVG(${value.sql} + 0e0)`, type: 'double', json: false };
    return { sql: `${function_}(${value.sql})`, type: SUMS[kind] ?? 'decimal', json: false };
  },
  groupable: (value) => value,
  compare: (op, value, bound) =>
    op === 'isdistinct' ? `NOT (${value} <=> ${bound})` : regexText(value, bound, op === 'imatch'),
  quantified,
  contain: () => null,
  textSearch: () => null,
  object(rows) {
    refuseGroups(rows);
    return json(`(${rowsText(rows, objectText(rows.output))})`);
  },
  array: (rows) => arrayText(rows, objectText(rows.output)),
  one(rows) {
    refuseGroups(rows);
    return { ...only(rows), sql: `(${rowsText({ ...rows, order: null }, only(rows).sql)})` };
  },
  // MariaDB decides once, by the first values of a prepared statement, what a LIMIT inside of EXISTS leaves.
  exists(source, { limit, offset }) {
    const any = offset === null ? `EXISTS (SELECT 1 ${source})` : `(SELECT COUNT(*) ${source}) > ${offset}`;
    return limit === null ? `(${any})` : `(${limit} > 0 AND ${any})`;
  },
  list: (rows) => arrayText(rows, `IFNULL(${memberText(only(rows))}, 'null')`),
  derived: (rows) =>
    `(${rowsText(rows, rows.output.map(({ name, value }) => `${value.sql} AS ${quoteIdentifier(name)}`).join(', '))})`,
  selectRows,
  writeRows: () => {
    throw unsupported('give more than columns of what it writes, in one statement');
  },
};
