import { MAX_CHUNK, type Section } from './chunk.ts';

const DELIMITERS = [',', ';', '\t', '|'];

/** Rows as lines `column: value, ...`, as many together as fit; rows are counted as in the file, the row of names being row 1. */
export async function splitCsv(text: string): Promise<Section[]> {
  const { parse } = await import('csv-parse/sync');
  const rows = parse(text, {
    bom: true,
    delimiter: delimiterOf(text),
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  }) as string[][];
  const names = headerOf(rows);
  const sections: Section[] = [];
  let lines: string[] = [];
  let first = names ? 2 : 1;
  let size = 0;
  const close = (last: number): void => {
    if (lines.length > 0) {
      sections.push({ name: first === last ? `row ${first}` : `rows ${first}-${last}`, text: lines.join('\n') });
    }
    lines = [];
    size = 0;
    first = last + 1;
  };
  rows.slice(names ? 1 : 0).forEach((row, i) => {
    const number = i + (names ? 2 : 1);
    const line = row.map((cell, column) => (names?.[column] ? `${names[column]}: ${cell}` : cell)).join(', ');
    if (size + line.length > MAX_CHUNK) close(number - 1);
    lines.push(line);
    size += line.length + 1;
  });
  close(rows.length);
  if (sections.length === 0 && names) sections.push({ name: 'row 1', text: names.join(', ') });
  return sections;
}

/** The one that stands most often in the first line. */
function delimiterOf(text: string): string {
  const [line = ''] = text.split('\n', 1);
  const count = (delimiter: string): number => line.split(delimiter).length;
  return DELIMITERS.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best));
}

/** The first row names the columns when its cells are words, each its own, and there are rows under it. */
function headerOf(rows: readonly string[][]): string[] | undefined {
  const first = rows[0]?.map((cell) => cell.trim());
  if (!first || rows.length < 2) return undefined;
  const areNames = first.every((cell) => /^[^\d\s][^\n]{0,63}$/u.test(cell)) && new Set(first).size === first.length;
  return areNames ? first : undefined;
}
