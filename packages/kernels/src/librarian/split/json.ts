import { MAX_CHUNK, type Section } from './chunk.ts';

interface Leaf {
  path: string[];
  line: string;
}

/**
 * Every value as a line `path: value`, grouped by the key at the top and by size; a section's name is the path its lines share.
 * One value a line (`.jsonl`) is read too.
 * @throws SyntaxError naming the place when it is neither
 */
export function splitJson(text: string): Section[] {
  const sections: Section[] = [];
  let group: Leaf[] = [];
  let size = 0;
  const close = (): void => {
    if (group.length === 0) return;
    sections.push({ name: pathName(shared(group)), text: group.map(({ line }) => line).join('\n') });
    group = [];
    size = 0;
  };
  let top: string | undefined;
  for (const leaf of leavesOf(parse(text))) {
    // Single values at the top stand together; a list or an object at the top stands alone.
    const own = leaf.path.length > 1 ? leaf.path[0] : undefined;
    if (own !== top || size + leaf.line.length > MAX_CHUNK) close();
    top = own;
    group.push(leaf);
    size += leaf.line.length + 1;
  }
  close();
  return sections;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    if (lines.length < 2) throw error;
    try {
      return lines.map((line) => JSON.parse(line) as unknown);
    } catch {
      throw error;
    }
  }
}

/** With a stack of its own: nesting is as deep as the sender likes. */
function* leavesOf(root: unknown): Generator<Leaf> {
  const stack: { path: string[]; value: unknown }[] = [{ path: [], value: root }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { path, value } = next;
    if (value !== null && typeof value === 'object' && path.length < MAX_DEPTH) {
      const entries = Object.entries(value);
      for (const [key, inner] of entries.reverse()) stack.push({ path: [...path, key], value: inner });
      if (entries.length > 0) continue;
    }
    const shown = typeof value === 'string' ? value : JSON.stringify(value);
    yield { path, line: path.length === 0 ? shown : `${path.join('.')}: ${shown}` };
  }
}

const MAX_DEPTH = 50;

/** The path above all of these leaves; of a single leaf, its own. */
function shared(group: readonly Leaf[]): string[] {
  const [first, ...others] = group;
  const path = [...first!.path];
  for (const other of others) {
    let same = 0;
    while (same < path.length && path[same] === other.path[same]) same++;
    path.length = same;
  }
  return path;
}

const pathName = (path: readonly string[]): string =>
  path.reduce((name, key) => (/^\d+$/.test(key) ? `${name}[${key}]` : `${name}.${key}`), '$');
