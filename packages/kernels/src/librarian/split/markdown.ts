import type { Section } from './chunk.ts';
import { createTrail, OPENING } from './trail.ts';

/** Constructs inside a line. Headings do not depend on them, and hostile input can make them slow. */
const INLINE =
  'attention autolink characterEscape characterReference codeText hardBreakEscape htmlText labelEnd labelStartImage labelStartLink'.split(
    ' ',
  );

/** One section a heading, by CommonMark: a `#` inside a code fence is no heading. The sections are slices that make up the whole text. */
export async function splitMarkdown(text: string): Promise<{ sections: Section[]; title?: string }> {
  const { fromMarkdown } = await import('mdast-util-from-markdown');
  const tree = fromMarkdown(text, { extensions: [{ disable: { null: INLINE } }] });
  const headings = tree.children.flatMap((node) => {
    const start = node.position?.start.offset;
    const end = node.position?.end.offset;
    if (node.type !== 'heading' || start === undefined || end === undefined) return [];
    return [{ depth: node.depth, start, end, name: plain(text.slice(start, end)) }];
  });
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

/** The words of a heading: without its marks (ATX and setext) and those of emphasis, code and links. */
function plain(heading: string): string {
  return heading
    .replace(/^ {0,3}#{1,6}[ \t]*/, '')
    .replace(/[ \t]+#+[ \t]*$/, '')
    .replace(/\n {0,3}(?:=+|-+)[ \t]*$/, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*`]/g, '')
    .trim();
}
