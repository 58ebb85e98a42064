import { MAX_CHUNK, type Section } from './chunk.ts';

interface Block {
  firstLine: number;
  lastLine: number;
  text: string;
}

/** Text without marks of structure: paragraphs, as many together as fit. */
export function splitPlain(text: string): Section[] {
  return merged(blocksOf(text, (line, before) => before.trim() === '' && line.trim() !== '')).map(toSection);
}

const DECLARATION =
  /^(?:export\s+|default\s+|pub(?:\([^)]*\))?\s+|public\s+|private\s+|static\s+|abstract\s+|async\s+)*(?:function\*?|class|interface|type|enum|struct|trait|impl|fn|func|def|module|const|let|var)\s+([\p{L}_$][\p{L}\p{N}_$]*)/mu;

/** Program text: a block starts where a line without indentation follows an empty one. The first declaration names the section. */
export function splitCode(text: string): Section[] {
  const blocks = blocksOf(text, (line, before) => before.trim() === '' && /^[^\s})\]]/.test(line));
  return merged(blocks).map((block) => {
    const { name, text: code } = toSection(block);
    const declared = DECLARATION.exec(code.slice(0, MAX_CHUNK))?.[1];
    return { name: declared === undefined ? name : `${declared}, ${name}`, text: code };
  });
}

function blocksOf(text: string, begins: (line: string, before: string) => boolean): Block[] {
  const blocks: Block[] = [];
  let before = '';
  let number = 0;
  for (const line of text.split(/(?<=\n)/)) {
    number++;
    const last = blocks.at(-1);
    if (last && !begins(line, before)) {
      last.text += line;
      last.lastLine = number;
    } else blocks.push({ firstLine: number, lastLine: number, text: line });
    before = line;
  }
  return blocks;
}

function merged(blocks: readonly Block[]): Block[] {
  const result: Block[] = [];
  for (const block of blocks) {
    const last = result.at(-1);
    if (last && last.text.length + block.text.length <= MAX_CHUNK) {
      last.text += block.text;
      last.lastLine = block.lastLine;
    } else result.push({ ...block });
  }
  return result;
}

const toSection = ({ firstLine, lastLine, text }: Block): Section => ({
  name: firstLine === lastLine ? `line ${firstLine}` : `lines ${firstLine}-${lastLine}`,
  text,
});
