import { columnKind } from './column-kind.ts';

/** The one function through which a name reaches SQLite's text. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Columns in one json_object call: SQLite before 3.48 takes 127 arguments. */
const OBJECT_COLUMNS = 60;

/** `\x` and hex digits, as PostgreSQL writes bytea. */
const blobText = (value: string): string => `'\\x' || lower(hex(${value}))`;

/**
 * A value as a JSON value. json_object keeps integers of any size exact and is faster than making JavaScript
 * objects first, but refuses a blob: any column may hold one whatever it declares, so `anyBlob` wraps them all.
 */
export function jsonValue(value: string, declaredType: string, anyBlob: boolean): string {
  switch (columnKind(declaredType)) {
    case 'boolean':
      return `CASE ${value} WHEN 1 THEN json('true') WHEN 0 THEN json('false') ELSE ${value} END`;
    case 'json':
      return (
        `CASE typeof(${value}) WHEN 'text' THEN iif(json_valid(${value}), json(${value}), ${value}) ` +
        `WHEN 'blob' THEN iif(json_valid(${value}, 8), json(${value}), ${blobText(value)}) ELSE ${value} END`
      );
    case 'blob':
    case 'any':
      return `CASE typeof(${value}) WHEN 'blob' THEN ${blobText(value)} ELSE ${value} END`;
    default:
      return anyBlob ? `CASE typeof(${value}) WHEN 'blob' THEN ${blobText(value)} ELSE ${value} END` : value;
  }
}

/** A JSON object of members that are values or JSON. */
export function objectText(output: readonly { readonly name: string; readonly member: string }[]): string {
  const members = output.map(({ name, member }) => `${quoteText(name)}, ${member}`);
  if (members.length <= OBJECT_COLUMNS) return `json_object(${members.join(', ')})`;
  const parts: string[] = [];
  for (let start = 0; start < members.length; start += OBJECT_COLUMNS) {
    const object = `json_object(${members.slice(start, start + OBJECT_COLUMNS).join(', ')})`;
    parts.push(`substr(${object}, 2, length(${object}) - 2)`);
  }
  return `'{' || ${parts.join(` || ',' || `)} || '}'`;
}
