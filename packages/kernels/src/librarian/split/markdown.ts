import type { Section } from './chunk.ts';
import { createTrail, OPENING } from './trail.ts';

/** The marks of quotes and lists at the start of a line, however many. */
const CONTAINER = /^(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/gm;

/**
 * What the parser need not look for: inside a line and inside quotes and lists stand no sections, and hostile input makes just these slow
 * (32 kB of `>` took 13 s, 8 kB of `[a]: x` 0.7 s).
 */
const NOT_ASKED =
  'attention autolink characterEscape characterReference codeText definition hardBreakEscape htmlText labelEnd labelStartImage labelStartLink list blockQuote'.split(
    ' ',
  );

interface Heading {
  depth: number;
  start: number;
  end: number;
  name: string;
}

/**
 * One section a heading, by CommonMark: a `#` inside a code fence is no heading. A heading in a quote or a list, or with spaces before it,
 * begins no section. The sections are slices that make up the whole text.
 */
export async function splitMarkdown(text: string): Promise<{ sections: Section[]; title?: string }> {
  const headings = await headingsOf(text);
  const trail = createTrail();
  const sections: Section[] = [];
  let from = 0;
  let name = OPENING;
  headings.forEach((heading, i) => {
    const before = headings[i - 1];
    // A heading with nothing under it but the next heading belongs to that one.
    const isBare = before !== undefined && text.slice(before.end, heading.start).trim() === '';
    if (!isBare) {
      sections.push({ name, text: text.slice(from, heading.start) });
      from = heading.start;
    }
    trail.enter(heading.depth, heading.name);
    name = trail.toString() || OPENING;
  });
  sections.push({ name, text: text.slice(from) });
  const title = headings.find(({ name: words }) => words !== '')?.name;
  return { sections, ...(title === undefined ? {} : { title }) };
}

async function headingsOf(text: string): Promise<Heading[]> {
  const { fromMarkdown } = await import('mdast-util-from-markdown');
  // Blanked marks keep every offset, and leave what stood in a quote or list indented.
  const flat = text.replace(CONTAINER, (marks) => marks.replace(/\S/g, ' '));
  const tree = fromMarkdown(flat, { extensions: [{ disable: { null: NOT_ASKED } }] });
  return tree.children.flatMap((node) => {
    const start = node.position?.start;
    const end = node.position?.end.offset;
    if (node.type !== 'heading' || start?.offset === undefined || end === undefined) return [];
    const source = text.slice(start.offset, end);
    const isOwn = start.column === 1 && source === flat.slice(start.offset, end);
    return isOwn ? [{ depth: node.depth, start: start.offset, end, name: plain(source) }] : [];
  });
}

/** The words of a heading: without its marks (ATX and setext) and those of emphasis, code and links. */
function plain(heading: string): string {
  return heading
    .replace(/^#{1,6}[ \t]*/, '')
    .replace(/[ \t]+#+[ \t]*$/, '')
    .replace(/\n {0,3}(?:=+|-+)[ \t]*$/, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*`]/g, '')
    .trim();
}
