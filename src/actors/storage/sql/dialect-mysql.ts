import type { TableInfo } from '../engine.ts';
import { columnKind } from '../mysql/column-kind.ts';
import type { Dialect, OutputColumn, SelectParts, SqlColumn, WriteParts } from './dialect.ts';
import { mysqlExpressions } from './mysql-expressions.ts';
import { jsonText, likeText, NO_LIMIT, PLACE_MARK, quoteIdentifier, rowText } from './mysql-text.ts';

const jsonRow = (output: readonly OutputColumn[]): string =>
  rowText(
    output.map(({ column, name }) => ({
      name,
      text: jsonText(quoteIdentifier(column.name), column.type, 'utf8' in column && column.utf8 === true),
    })),
  );

/** With a total the first row holds only that: one statement, so that the total and the page are of one snapshot. */
function selectStatement(parts: SelectParts): string {
  const where = parts.where === null ? '' : ` WHERE ${parts.where}`;
  const rows = `SELECT ${jsonRow(parts.output)}${parts.total ? ', NULL' : ''} FROM ${parts.from}${where}`;
  const order = parts.order === null ? '' : ` ORDER BY ${parts.order}`;
  const isLimited = parts.limit !== null || parts.offset !== null || parts.total;
  const limit = isLimited ? ` LIMIT ${parts.limit ?? NO_LIMIT}` : '';
  const offset = parts.offset === null ? '' : ` OFFSET ${parts.offset}`;
  if (!parts.total) return `${rows}${order}${limit}${offset}`;
  return `SELECT NULL, COUNT(*) FROM ${parts.from}${where} UNION ALL (${rows}${order}${limit}${offset})`;
}

/** An update gives nothing back by itself; mysql/writes.ts reads its rows in the same transaction. */
function writeStatement(parts: WriteParts): string {
  if (parts.write.startsWith('UPDATE') || (!parts.returning && parts.check === null)) return parts.write;
  return `${parts.write} RETURNING ${jsonRow(parts.output)}${parts.check === null ? '' : `, (${parts.check}) IS TRUE`}`;
}

/** A value of a filter under its column's type: comparing a number with text would compare rounded doubles. */
const FILTER_TYPES: Readonly<Record<string, string>> = {
  ...{ boolean: 'SIGNED', integer: 'SIGNED', unsigned: 'DECIMAL(20)', bit: 'UNSIGNED' },
  ...{ decimal: 'DECIMAL(65,30)', double: 'DOUBLE' },
};

/** What stands for a value in the final text. */
export function valueText(form: string, column: SqlColumn | null): string {
  const kind = column === null ? 'other' : columnKind(column.type);
  if (form === 'cell' || form === 'json') {
    const isBits = kind === 'bit' || column?.type === 'bit(1)';
    return isBits ? 'CAST(? AS UNSIGNED)' : '?';
  }
  const type = form === 'text' || form === 'list' ? FILTER_TYPES[kind] : undefined;
  return type === undefined ? '?' : `CAST(? AS ${type})`;
}

/** @param rows how many rows one insert statement writes. */
export function mysqlDialect(rows = 1): Dialect {
  return {
    kind: 'mysql',
    quoteIdentifier,
    placeholder: (position) => `${PLACE_MARK}${position}${PLACE_MARK}`,
    qualifiedTable: (table: TableInfo) => quoteIdentifier(table.name),
    like: likeText,
    is(column, value) {
      const words = { null: 'NULL', not_null: 'NOT NULL', true: 'TRUE', false: 'FALSE', unknown: 'UNKNOWN' };
      return `${column} IS ${words[value]}`;
    },
    inList: (column, list) => `${column} IN (${list})`,
    // MySQL sorts NULL as the smallest value; saying so again would cost it the use of an index.
    orderTerm(column, info, direction, nulls) {
      const term = `${column} ${direction.toUpperCase()}`;
      if (!info.nullable || (direction === 'asc') === (nulls === 'first')) return term;
      return `${column} IS NULL${nulls === 'first' ? ' DESC' : ''}, ${term}`;
    },
    insertSource({ columns, bind }) {
      const tuple = (): string => `(${columns.map((column) => bind({ kind: 'cell', column })).join(', ')})`;
      return `${columns.length === 0 ? '() ' : ''}VALUES ${Array.from({ length: rows }, tuple).join(', ')}`;
    },
    defaultText: () => 'DEFAULT',
    /** Acts on a conflict with any unique key: mysql/writes.ts uses it only where there is no other one. */
    onConflict(_table, _conflict, columns) {
      const names = columns.map((column) => quoteIdentifier(column.name));
      return `ON DUPLICATE KEY UPDATE ${names.map((name) => `${name} = VALUES(${name})`).join(', ')}`;
    },
    expressions: mysqlExpressions,
    selectStatement,
    writeStatement,
  };
}
