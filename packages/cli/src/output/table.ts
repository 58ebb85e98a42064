import { stripVTControlCharacters } from 'node:util';

export interface Column<Row> {
  head: string;
  cell: (row: Row) => string;
  align?: 'left' | 'right';
}

/** Aligned columns, two spaces apart, no trailing blanks. Colour codes count as nothing. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  paintHead = (text: string) => text,
): string[] {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map(({ head }, i) => Math.max(width(head), ...cells.map((row) => width(row[i]!))));
  const lay = (row: string[]): string =>
    row
      .map((cell, i) => {
        const blank = ' '.repeat(widths[i]! - width(cell));
        return columns[i]!.align === 'right' ? blank + cell : cell + blank;
      })
      .join('  ')
      .trimEnd();
  return [paintHead(lay(columns.map(({ head }) => head))), ...cells.map(lay)];
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
