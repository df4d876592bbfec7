import { stringifyExact } from '../protocol/exact-json.ts';

type Cell = string | number | bigint | boolean | null | object | undefined;

const CELL_CHARS = 60;

function show(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  const text = typeof cell === 'object' ? stringifyExact(cell) : String(cell);
  // Control characters of a stored value must not move the terminal's cursor.
  const plain = text.replace(/\p{C}/gu, ' ');
  return plain.length > CELL_CHARS ? `${plain.slice(0, CELL_CHARS - 1)}…` : plain;
}

/** Rows under their headings, columns aligned; numbers to the right. */
export function renderTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => headings.map((_, column) => show(row[column])));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map((row) => row[column]?.length ?? 0)),
  );
  const numeric = headings.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof (row[column] ?? 0) === 'number'),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return numeric[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width));
  return `${[line(headings), line(rule), ...texts.map(line)].join('\n')}\n`;
}
