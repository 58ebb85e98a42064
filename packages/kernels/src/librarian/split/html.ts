import type { Section } from './chunk.ts';
import { createTrail, OPENING } from './trail.ts';

const HIDDEN = new Set(['script', 'style', 'noscript', 'template', 'svg', 'head']);
const INLINE = new Set(
  'a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q s samp small span strong sub sup time tt u var wbr'.split(
    ' ',
  ),
);

/** The text that a reader of the page sees, one section a heading; scripts, styles and other unseen content left out. */
export async function splitHtml(text: string): Promise<{ sections: Section[]; title?: string }> {
  const { Parser } = await import('htmlparser2');
  const trail = createTrail();
  const sections: Section[] = [{ name: OPENING, text: '' }];
  const hidden: string[] = [];
  let heading: { depth: number; words: string } | undefined;
  let title = '';
  let inTitle = false;
  const write = (words: string): void => {
    sections.at(-1)!.text += words;
  };
  const parser = new Parser({
    onopentagname(name) {
      if (name === 'title' && !hidden.some((tag) => tag !== 'head')) inTitle = true;
      if (HIDDEN.has(name)) hidden.push(name);
      if (hidden.length > 0) return;
      const depth = /^h([1-6])$/.exec(name)?.[1];
      if (depth !== undefined) {
        heading = { depth: Number(depth), words: '' };
        sections.push({ name: '', text: '' });
      } else if (!INLINE.has(name)) write('\n');
    },
    ontext(words) {
      if (inTitle) title += words;
      if (hidden.length > 0) return;
      const shown = words.replace(/\s+/g, ' ');
      if (heading) heading.words += shown;
      write(shown);
    },
    onclosetag(name) {
      if (name === 'title') inTitle = false;
      if (HIDDEN.has(name)) hidden.splice(hidden.lastIndexOf(name), hidden.includes(name) ? 1 : 0);
      if (heading && /^h[1-6]$/.test(name)) {
        trail.enter(heading.depth, heading.words);
        sections.at(-1)!.name = trail.toString() || OPENING;
        heading = undefined;
      }
      if (hidden.length === 0 && !INLINE.has(name)) write('\n');
    },
  });
  parser.end(text);
  const tidy = (words: string): string => words.replace(/[ \t]*\n\s*/g, '\n').trim();
  const named = title.replace(/\s+/g, ' ').trim() || sections.find(({ name }) => name !== OPENING)?.name;
  return {
    sections: sections.map((section) => ({ name: section.name || OPENING, text: tidy(section.text) })),
    ...(named === undefined ? {} : { title: named }),
  };
}
