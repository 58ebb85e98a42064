import { open } from 'node:fs/promises';
import type { StackFrame, WireError } from '@grace/contracts';
import type { SourceMaps } from './source-maps.ts';

/** One line for each frame: function, file, line. Values of variables are never read. */
export function stackLines(frames: StackFrame[]): string[] {
  return frames.map(({ function: name, file, line, column }) => `${name || '(anonymous)'} ${file}:${line}:${column}`);
}

/** The frames that are the kernel's own: not the runtime's. */
export function ownLines(frames: StackFrame[]): string[] {
  return stackLines(frames.filter(({ file }) => !file.startsWith('node:')));
}

const AROUND = 3;
const PLACE = /(\/[^\s()]+?):(\d+):\d+/;

/** The error with its stack as the author placed it, and the lines of source around the first place that can be read. */
export async function errorText(error: WireError, sources: SourceMaps): Promise<{ text: string; top: string[] }> {
  const stack = await sources.locateStack(error.stack ?? error.message);
  const places = stack.split('\n').filter((line) => PLACE.test(line) && !line.includes('node:'));
  const excerpt = await firstExcerpt(places);
  const text = [`${error.code}: ${error.message}`, '', stack, ...(excerpt ? ['', ...excerpt] : []), ''].join('\n');
  return { text, top: [`${error.code}: ${error.message}`, ...places.slice(0, 3).map((line) => line.trim())] };
}

async function firstExcerpt(places: string[]): Promise<string[] | null> {
  for (const place of places) {
    const [, file, line] = PLACE.exec(place)!;
    const lines = await readLines(file!, Number(line));
    if (lines) return [`${file}:`, ...lines];
  }
  return null;
}

/** An installed product may have no sources beside it. */
async function readLines(file: string, line: number): Promise<string[] | null> {
  try {
    await using handle = await open(file);
    const found: string[] = [];
    let number = 0;
    for await (const text of handle.readLines()) {
      number++;
      if (number < line - AROUND) continue;
      if (number > line + AROUND) break;
      found.push(`${number === line ? '>' : ' '} ${String(number).padStart(5)} | ${text.slice(0, 200)}`);
    }
    return number >= line ? found : null;
  } catch {
    return null;
  }
}
