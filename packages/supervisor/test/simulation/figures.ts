import { readFileSync, writeFileSync } from 'node:fs';

const BEGIN = '<!-- figures: written by `pnpm simulate --figures` -->';
const END = '<!-- end of figures -->';

/** Writes the figures of a run between their two marks in a page, and leaves the rest of it as it is. */
export function writeFigures(page: string, figures: Record<string, string | number>): void {
  const text = readFileSync(page, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${page} has no place for figures: "${BEGIN}" and then "${END}"`);
  const rows = Object.entries(figures).map(([name, value]) => `| ${name} | ${value.toLocaleString('en')} |`);
  const table = ['| figure | |', '|---|---|', ...rows].join('\n');
  writeFileSync(page, `${text.slice(0, begin + BEGIN.length)}\n${table}\n${text.slice(end)}`);
}
