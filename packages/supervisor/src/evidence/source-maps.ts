import { open, stat } from 'node:fs/promises';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SourcePlace {
  /** Absolute where it is a file. */
  file: string;
  /** From 1. */
  line: number;
  column: number;
}

export interface SourceMaps {
  /** The place the author wrote for one that runs; the same place where no source map tells. `url`: a file URL or a path; from 1. */
  locate(url: string, line: number, column: number): Promise<SourcePlace>;
  /** The stack of an error with every place in it located. */
  locateStack(stack: string): Promise<string>;
}

/** A map is read in one piece in the main thread, about 10 ms for each MB; larger ones are not read. */
const MAX_MAP_BYTES = 8e6;
const KEPT_MAPS = 8;
/** Maps are kept this long: stacks come in bursts, and a map is several times its file in memory, ms. */
const KEPT_MS = 30_000;
const STACK_PLACE = /((?:file:\/\/)?\/[^\s()]+?):(\d+):(\d+)/g;

/** Reads source maps when they are first needed, and forgets them again. */
export function createSourceMaps(): SourceMaps {
  const kept = new Map<string, Promise<SourceMap | null>>();

  const mapOf = (file: string): Promise<SourceMap | null> => {
    let map = kept.get(file);
    if (!map) {
      map = readMap(file).catch(() => null);
      kept.set(file, map);
      for (const oldest of kept.keys()) {
        if (kept.size <= KEPT_MAPS) break;
        kept.delete(oldest);
      }
      setTimeout(() => kept.delete(file), KEPT_MS).unref();
    }
    return map;
  };

  const locate: SourceMaps['locate'] = async (url, line, column) => {
    if (!url.startsWith('file:') && !url.startsWith('/')) return { file: url, line, column };
    const file = url.startsWith('file:') ? fileURLToPath(url) : url;
    const entry = (await mapOf(file))?.findEntry(line - 1, column - 1);
    if (!entry || !('originalSource' in entry)) return { file, line, column };
    const { originalSource, originalLine, originalColumn } = entry;
    return { file: sourceFile(file, originalSource), line: originalLine + 1, column: originalColumn + 1 };
  };

  return {
    locate,
    async locateStack(stack) {
      let text = '';
      let end = 0;
      for (const match of stack.matchAll(STACK_PLACE)) {
        const place = await locate(match[1]!, Number(match[2]), Number(match[3]));
        text += `${stack.slice(end, match.index)}${place.file}:${place.line}:${place.column}`;
        end = match.index + match[0].length;
      }
      return text + stack.slice(end);
    },
  };
}

async function readMap(file: string): Promise<SourceMap | null> {
  const code = await readBounded(file, MAX_MAP_BYTES * 2);
  const at = code?.lastIndexOf('//# sourceMappingURL=') ?? -1;
  if (!code || at === -1) return null;
  const url = code.slice(at + '//# sourceMappingURL='.length).split(/\s/, 1)[0]!;
  const inline = /^data:application\/json[^,]*?(;base64)?,/.exec(url);
  const text = inline
    ? Buffer.from(decodeURIComponent(url.slice(inline[0].length)), inline[1] ? 'base64' : 'utf8').toString('utf8')
    : await readBounded(resolve(dirname(file), decodeURIComponent(url)), MAX_MAP_BYTES);
  return text === null || text.length > MAX_MAP_BYTES ? null : new SourceMap(JSON.parse(text) as SourceMapPayload);
}

/** Null when there is more of it. */
async function readBounded(file: string, maxBytes: number): Promise<string | null> {
  if ((await stat(file)).size > maxBytes) return null;
  await using handle = await open(file);
  return await handle.readFile('utf8');
}

function sourceFile(file: string, source: string): string {
  if (source.startsWith('file:')) return fileURLToPath(source);
  return /^[a-z][a-z+.-]+:/.test(source) ? source : resolve(dirname(file), source);
}
