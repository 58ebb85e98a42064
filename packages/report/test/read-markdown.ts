import assert from 'node:assert/strict';

/** The GitHub tables of a text: cells per row, split at every `|` that is not escaped. */
export function tables(markdown: string): string[][][] {
  const found: string[][][] = [];
  let current: string[][] | null = null;
  let fenced = false;
  for (const line of markdown.split('\n')) {
    if (/^`{3,}/.test(line)) fenced = !fenced;
    if (!fenced && line.startsWith('|')) {
      if (current === null) {
        current = [];
        found.push(current);
      }
      current.push(
        line
          .slice(1)
          .replace(/\|\s*$/, '')
          .split(/(?<!\\)(?:\\\\)*\|/),
      );
    } else current = null;
  }
  return found;
}

/** Throws when the text is not one well-formed XML element: tags nest, attributes are quoted, only known entities, no bare `<` or `&`. */
export function assertWellFormed(xml: string): void {
  const open: string[] = [];
  let rest = xml.trim();
  let roots = 0;
  while (rest !== '') {
    const text = /^[^<&\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]+/.exec(rest)?.[0];
    const entity = /^&(amp|lt|gt|quot|#\d+|#x[0-9a-f]+);/i.exec(rest)?.[0];
    const end = /^<\/([a-z]+)>/i.exec(rest);
    const start = /^<([a-z]+)((?:\s+[a-z0-9:-]+="(?:[^"<&]|&(?:amp|lt|gt|quot|#\d+);)*")*)\s*(\/?)>/i.exec(rest);
    if (text !== undefined) {
      if (open.length === 0 && text.trim() !== '') throw new Error(`text outside the root: ${text}`);
      rest = rest.slice(text.length);
    } else if (entity !== undefined) rest = rest.slice(entity.length);
    else if (end) {
      if (open.pop() !== end[1]) throw new Error(`unexpected </${end[1]}>`);
      rest = rest.slice(end[0].length);
    } else if (start) {
      if (open.length === 0) roots += 1;
      if (roots > 1) throw new Error('more than one root');
      if (start[3] === '') open.push(start[1]!);
      rest = rest.slice(start[0].length);
    } else throw new Error(`not well-formed at: ${rest.slice(0, 80)}`);
  }
  if (open.length > 0 || roots !== 1) throw new Error(`unclosed: ${open.join(', ')}`);
}

/** From a heading to the next of its level or above. */
export function section(markdown: string, title: string): string {
  const from = markdown.indexOf(`\n${title}`);
  assert.notEqual(from, -1, `no section ${title}`);
  const level = /^#+/.exec(title)?.[0] ?? '##';
  const to = markdown.slice(from + title.length).search(new RegExp(`\n#{1,${level.length}} `));
  return to < 0 ? markdown.slice(from) : markdown.slice(from, from + title.length + to);
}
